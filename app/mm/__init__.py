"""The kernel: Linux 6.1.192's memory allocators as a pure, deterministic model.

This is a tour for readers who have the kernel's source open beside this package. A machine is an object (`m`,
the first argument of its functions), and a `struct page *` is a page frame number. A function has the name
that it has in the kernel, without leading underscores, and its docstring names the kernel's file. Nothing
here reads a clock, a random number or a file: equal machines and equal calls give equal machines.

The data, first:
  page, page_ref               `struct page` of frames that are used or touched (linux/mm_types.h)
  memory_model                 page frame number, `struct page *` and address, each computed from the others
  mmzone, zonelists            zones, `free_area[order]`, per-CPU lists, the order of zones (linux/mmzone.h)
  gfp                          the mask of a request: which zone, how hard to try (linux/gfp_types.h)

The page allocator, from the bottom up (mm/page_alloc.c). Read buddy, pcp and page_alloc before anything else:
  buddy                        `expand` splits, `free_one_page` merges, `rmqueue_fallback` steals
  pcp                          per-CPU lists: `rmqueue_bulk` refills them, `free_pcppages_bulk` drains them
  page_alloc                   `alloc_pages`, `get_page_from_freelist`, the watermark checks, the slow path
  wmarks, sysctl               watermarks, reserves and per-CPU limits; the settings of /proc/sys/vm
  vmscan                       kswapd, reclaim, compaction, OOM: what there is to gain here (mm/vmscan.c)
  page_check, page_free        bad pages and wrong frees: what the kernel notices, and what it prints

What stands on it:
  slab, slub, slub_layout      caches, the five places an allocation looks in, sizes of slabs (mm/slub.c)
  slab_common, slub_debug      `kmalloc` with its size classes (mm/slab_common.c); what a debug kernel reports
  vmap_area, vmalloc           ranges of addresses, and the frames that are mapped there (mm/vmalloc.c)
  pgtable, module, highmem     page tables of such ranges, modules, and `kmap` (mm/highmem.c)
  swap, filemap, wait          references (mm/swap.c), the page lock (mm/filemap.c), tasks that sleep
  printk, vmstat, vmstat_text  the kernel's log and its counters (kernel/printk/printk.c, mm/vmstat.c)
  proc, show_mem, vmallocinfo  the files of /proc in 6.1's exact form; the report after a failed allocation

The machine around the kernel:
  vocabulary, calls, calltext  every call that can be made; a call as a value, and as a line of text
  entry                        from a checked call to the functions above, one module for each area
  machine, outcome             `Machine.apply(call, seq)` gives an `Outcome`: the one way to change a machine
  boot, bootparam, profiles    a machine from a profile, a dump or a kept state (init/main.c)
  memblock, free_area          the memory it has, and the first free lists (mm/memblock.c)
  dump, slab_dump, document    the whole state as JSON, checked where it is read
  state                        the same state, quick to write and read, for kmemlab's own use
  trace                        the steps of an explanation, which the functions above report to `m.trace`
  changes, frame_states        which frames a call changed, and the state of every frame
  zonemap, show, show_address  the views that the API answers; also show_cost, slab_views, description
  debug                        every rule that a state must keep; also slub_validate, vmap_validate
  errors, runs, numerals       a caller's mistakes, lists of blocks, numbers as text
"""
