"""Functions that are no calls here: older names of what is one, and what has no part in this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

# An argument that a function no longer has, and that must say nothing.
NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class OldName:
    """What a function is called here. args: which argument each of its own is, in its own order."""

    name: str
    args: tuple[str, ...]


GFP_ORDER: Final = ("gfp", "order")
NODE_GFP_ORDER: Final = ("node", "gfp", "order")
SIZE_FLAGS: Final = ("size", "flags")

OLD: Final[dict[str, OldName]] = {
    "__alloc_pages": OldName("alloc_pages_node", ("gfp", "order", "node", NOTHING)),
    "__alloc_pages_nodemask": OldName("alloc_pages_node", ("gfp", "order", "node", NOTHING)),
    "__alloc_pages_node": OldName("alloc_pages_node", NODE_GFP_ORDER),
    "alloc_pages_exact_node": OldName("alloc_pages_node", NODE_GFP_ORDER),
    "alloc_pages_current": OldName("alloc_pages", GFP_ORDER),
    "get_free_page": OldName("get_zeroed_page", ("gfp",)),
    "get_free_pages": OldName("__get_free_pages", GFP_ORDER),
    "page_cache_get": OldName("get_page", ("page",)),
    "page_cache_release": OldName("put_page", ("page",)),
    "LockPage": OldName("lock_page", ("page",)),
    "UnlockPage": OldName("unlock_page", ("page",)),
    "TryLockPage": OldName("trylock_page", ("page",)),
    "wait_on_page": OldName("wait_on_page_locked", ("page",)),
    "page_ref_count": OldName("page_count", ("page",)),
    "lowmem_page_address": OldName("page_address", ("page",)),
    "__kmalloc": OldName("kmalloc", SIZE_FLAGS),
    "kzfree": OldName("kfree", ("addr",)),
    "kfree_sensitive": OldName("kfree", ("addr",)),
    "__ksize": OldName("ksize", ("addr",)),
}

PRINTS: Final = "prints, and changes no memory: leave this line out"
CONTENTS: Final = "works on what is in the memory, which is not kept here: leave this line out"
LOCKS: Final = (
    "is not simulated; that a spinlock is held stands before a call: init@0/atomic: kmalloc(64, GFP_ATOMIC)"
)
SLEEPS: Final = "only lets time pass, which a machine here does not have: leave this line out"
LOCAL_MAPS: Final = (
    "maps a page for one CPU or task at an address of its own, which is not simulated: kmap maps it for all; "
    "a page outside HIGHMEM has its page_address"
)
CHARACTER: Final = "is no part of memory management: leave this line out"

NO_PART: Final[dict[str, str]] = {
    **dict.fromkeys(
        (
            "printk", "pr_info", "pr_err", "pr_warn", "pr_debug", "pr_alert", "pr_emerg", "pr_crit",
            "pr_notice", "printf",
            "dev_info", "dev_err", "dev_warn", "dev_dbg", "dump_stack", "print_hex_dump",
            "print_hex_dump_bytes", "seq_printf", "seq_puts", "puts",
        ),
        PRINTS,
    ),
    **dict.fromkeys(
        (
            "memset", "memcpy", "memmove", "memcmp", "strcpy", "strncpy", "strscpy", "strlcpy", "sprintf",
            "snprintf", "scnprintf", "clear_page", "copy_page", "strlen",
            "INIT_LIST_HEAD", "list_add", "list_add_tail", "list_del", "kobject_init",
        ),
        CONTENTS,
    ),
    **dict.fromkeys(
        (
            "spin_lock", "spin_unlock", "spin_lock_irqsave", "spin_unlock_irqrestore", "spin_lock_irq",
            "spin_unlock_irq", "spin_lock_bh", "spin_unlock_bh", "local_irq_save", "local_irq_restore",
            "local_irq_disable", "local_irq_enable", "preempt_disable", "preempt_enable", "rcu_read_lock",
            "rcu_read_unlock", "mutex_lock", "mutex_unlock", "down", "up", "down_interruptible",
        ),
        LOCKS,
    ),
    **dict.fromkeys(
        ("kmap_atomic", "kunmap_atomic", "kmap_local_page", "kunmap_local", "kmap_atomic_prot"), LOCAL_MAPS
    ),
    **dict.fromkeys(
        ("msleep", "ssleep", "udelay", "mdelay", "schedule", "cond_resched", "schedule_timeout"), SLEEPS
    ),
    **dict.fromkeys(
        (
            "register_chrdev", "unregister_chrdev", "cdev_init", "cdev_add", "cdev_del", "module_init",
            "module_exit", "MODULE_LICENSE", "MODULE_AUTHOR", "MODULE_DESCRIPTION", "MODULE_VERSION",
            "module_param", "EXPORT_SYMBOL", "proc_create", "debugfs_create_file", "init_waitqueue_head",
            "kthread_run", "IS_ERR", "PTR_ERR", "BUG_ON", "WARN_ON", "WARN_ON_ONCE",
        ),
        CHARACTER,
    ),
}  # fmt: skip
