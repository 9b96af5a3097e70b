"""The kernel: Linux 6.1.192's memory allocators as a pure, deterministic model.

This is a tour for readers who have the kernel's source open beside this package. A kernel is an object (`m`,
the first argument of its functions), and a `struct page *` is a page frame number. A function has the name
that it has in the kernel, without leading underscores, and its docstring names the kernel's file. Nothing
here reads a clock, a random number or a file: equal machines and equal calls give equal machines.

The data, first:
  kernel                       the kernel's globals, which in C every function finds by name
  page, page_ref               `struct page` of frames that are used or touched (linux/mm_types.h)
  memory_model                 page frame number, `struct page *` and address, each computed from the others
  mmzone, zonelists            zones, `free_area[order]`, per-CPU lists, the order of zones (linux/mmzone.h)
  gfp, internal                the mask of a request (linux/gfp_types.h) and the ALLOC_ flags (mm/internal.h)
  tracepoints, vm_tracepoints  what functions report while a call is explained (include/trace/events)
  memblock, free_area          the memory found at boot (mm/memblock.c), and the first free lists

The page allocator, from the bottom up (mm/page_alloc.c). Read buddy, pcp, freelist and page_alloc before
anything else:
  buddy                        `expand` splits, `free_one_page` merges, `rmqueue_fallback` steals
  pcp                          per-CPU lists: `rmqueue_bulk` refills them, `free_pcppages_bulk` drains them
  freelist                     `get_page_from_freelist`, the watermark checks, the high-order atomic reserve
  page_alloc                   `alloc_pages`, the slow path, direct reclaim, bulk allocation
  page_free, page_check        `free_pages`, frees of what is not one whole block; bad pages
  page_exact                   `split_page`, `alloc_pages_exact`: blocks cut into pages of their own
  references, page_flags       `get_page`, `put_page` (linux/mm.h); flags that drivers set (page-flags.h)
  wmarks, sysctl               watermarks, reserves and per-CPU limits; the settings of /proc/sys/vm
  vmscan                       kswapd, shrinkers: what there is to gain here (mm/vmscan.c)
  slowpath, compact_result     reclaim, compact, retry: what is done for a request on a machine that reclaims
  oom_kill, oom_reaper         who has to die when nothing else helps, and how (mm/oom_kill.c)

What stands on it:
  slab, slub, slub_layout      caches, the five places an allocation looks in, sizes of slabs (mm/slub.c)
  slub_bulk                    many objects at once
  slab_caches, boot_caches     the list of all caches (mm/slab_common.c); those of a booted kernel
  boot_cache_table             names and layouts of these, as real kernels had them
  slab_common, slub_debug      `kmalloc` with its size classes (mm/slab_common.c); what a debug kernel reports
  vmap_area, vmalloc           ranges of addresses, and the frames that are mapped there (mm/vmalloc.c)
  pgtable, module, highmem     page tables of such ranges, modules, and `kmap` (mm/highmem.c)
  address, wild_page           what is behind an address; a `struct page *` that is none
  filemap, wait                the page lock (mm/filemap.c), and the queues of those who sleep for it
  sched, exit                  tasks (linux/sched.h), and how one ends (kernel/exit.c)

Processes. Read mm_types, mmap, fault and memory first: an area is a promise, a fault keeps it:
  mm_types, virtual_memory     `mm_struct`, `vm_area_struct`, `anon_vma`; the globals of virtual memory
  pgtable_types, pgalloc       the bits of an entry (asm/pgtable_types.h); tables made and freed
  mem_map, user_bytes          `struct page` of user pages, in columns; the bytes that were stored in them
  vma, mmap, mprotect, mremap  areas joined and cut, addresses given (mm/mmap.c), rights, moves
  madvise, mlock, mlock_vma    advice on a range (mm/madvise.c), and memory that stays (mm/mlock.c)
  anon_faults                  first writes to many neighbouring pages at once
  fault, vm_fault, memory      the exception (arch/x86/mm/fault.c), `do_anonymous_page`, `do_wp_page`
  gup, fork                    faults made by the kernel itself (mm/gup.c); a copy of a process
  zap, mmu_gather              entries cleared, pages gathered and freed (mm/mmu_gather.c)
  rmap, lru, swap              who maps a page (mm/rmap.c), the LRU lists, the batches (mm/swap.c)
  lruvec, lru_isolate          what a node keeps of its lists; taking a page off one for a while
  workingset                   pages that come back soon after they were evicted (mm/workingset.c)
  vmscan, scan_control         reclaim (mm/vmscan.c): nodes and priorities, and what one run knows
  scan_count                   how much of each list is looked at: processes' memory against files'
  shrink_list, shrink_folio    the lists from their tail; what becomes of each page
  kswapd, balance_pgdat        waking it, and when it is enough; its work
  kthreads                     who runs at the end of the call that woke it; also vmscan_tracepoints
  shrinker, madvise_cold       others who can give something up; ranges that a program calls cold
  page_writeback, flusher      dirty pages of files (mm/page-writeback.c), and who writes them
  page_vma_mapped              where a page is really mapped (mm/page_vma_mapped.c)
  rmap_reclaim                 who has used a page, and taking it away from all (mm/rmap.c)
  swap_info, swapops           swap areas (linux/swap.h), entries that name a slot (linux/swapops.h)
  swap_map                     counts of the use of slots (mm/swapfile.c)
  swapfile_scan, swap_slots    free slots, and each CPU's stock of them (mm/swap_slots.c)
  swap_state, swap_alloc       pages that have a slot (mm/swap_state.c), and how they get it
  swapfile, page_io            when the slot is given up; writing and reading it (mm/page_io.c)
  swap_readahead, shmem_swap   what is read besides; tmpfs in swap (mm/shmem.c)
  swapon                       areas begun and ended: `swapon`, `swapoff`; also swap_tracepoints
  migrate, migrate_ptes        a page gets another frame (mm/migrate.c), and all who map it follow
  compaction, compact_control  pages moved together, so that large blocks come to be (mm/compaction.c)
  compact_migrate              its migration scanner, which takes pages from a zone's start upwards
  compact_free, page_kinds     its free scanner, from the end downwards; what kind of page a frame is
  compact_skip                 what it remembers of its last runs; also compact_suitable, compact_tracepoints
  fs, pagemap, filemap_fault   files by name and size, the page cache, faults on it (mm/filemap.c)
  readahead, read_write        what is read before it is asked for; `read`, `write`, `fsync`
  fadvise, drop_caches         advice on reading (mm/fadvise.c); dropping all that is clean (fs/drop_caches.c)
  huge_memory, khugepaged      huge pages nobody asked for (mm/huge_memory.c), and those made later
  hugetlb, errno               huge pages from a pool (mm/hugetlb.c); error numbers
  exec, image, namei           a program starts (fs/exec.c); the page of zeros; files by name (fs/namei.c)
  signal                       a bad access, and what is printed (kernel/signal.c)
  objects, thread_stack        what fork and mmap take from the kernel's caches (kernel/fork.c)
  printk, hexdump              the kernel's log (kernel/printk/printk.c), bytes of objects in it
  vmstat, vmstat_text          its counters (mm/vmstat.c); also zone_pages
  proc, show_mem               the files of /proc in 6.1's exact form; the report after a failed allocation

`app.machine` is the machine around this kernel: the calls that can be made, what comes of them, dumps,
explanations and views. Nothing here imports it.
"""
