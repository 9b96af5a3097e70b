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
  tracepoints                  what functions report while a call is explained (include/trace/events)
  memblock, free_area          the memory found at boot (mm/memblock.c), and the first free lists

The page allocator, from the bottom up (mm/page_alloc.c). Read buddy, pcp, freelist and page_alloc before
anything else:
  buddy                        `expand` splits, `free_one_page` merges, `rmqueue_fallback` steals
  pcp                          per-CPU lists: `rmqueue_bulk` refills them, `free_pcppages_bulk` drains them
  freelist                     `get_page_from_freelist`, the watermark checks, the high-order atomic reserve
  page_alloc                   `alloc_pages`, the slow path, direct reclaim, bulk allocation
  page_free, page_check        `free_pages`, frees of what is not one whole block; bad pages
  page_exact                   `split_page`, `alloc_pages_exact`: blocks cut into pages of their own
  references                   `get_page`, `put_page` (linux/mm.h)
  wmarks, sysctl               watermarks, reserves and per-CPU limits; the settings of /proc/sys/vm
  vmscan, compaction           kswapd, shrinkers, compaction: what there is to gain here (mm/vmscan.c)

What stands on it:
  slab, slub, slub_layout      caches, the five places an allocation looks in, sizes of slabs (mm/slub.c)
  slab_common, slub_debug      `kmalloc` with its size classes (mm/slab_common.c); what a debug kernel reports
  vmap_area, vmalloc           ranges of addresses, and the frames that are mapped there (mm/vmalloc.c)
  pgtable, module, highmem     page tables of such ranges, modules, and `kmap` (mm/highmem.c)
  filemap, wait                the page lock (mm/filemap.c), and the queues of those who sleep for it
  sched, exit                  tasks (linux/sched.h), and how one ends (kernel/exit.c)
  printk, vmstat, vmstat_text  the kernel's log and its counters (kernel/printk/printk.c, mm/vmstat.c)
  proc, show_mem               the files of /proc in 6.1's exact form; the report after a failed allocation

`app.machine` is the machine around this kernel: the calls that can be made, what comes of them, dumps,
explanations and views. Nothing here imports it.
"""
