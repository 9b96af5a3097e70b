"""The machine around the kernel: calls and what comes of them, dumps, explanations, views.

What Linux does is in `app.mm`; what Linux does not have is here. `Machine.apply(call, seq)` gives an
`Outcome` and is the one way to change a machine. Nothing here reads a clock, a random number or a file.

Calls:
  entry                        every call that can be made, declared beside the function that runs it
  vocabulary, kinds            what a declaration is made of; the kinds of arguments
  user_kinds, checks           those of system calls; checks that several kinds make
  calls, parsing, calltext     a call as a value, from JSON, and as a line of text
  known_names                  the names that a call may use: the caller's own, and `m1.p` of others
  binding                      what a call means by them, and what a result is called from then on
  linetext, argtext            reading such a line, and one argument of it
  ctext, ctypes_of, constants  what a line of C has beside its call: comments, types, integer constants
  oldnames, oldmasks           functions by older names; masks out of logs, of older kernels too
  gfp_text, runs               masks as people write them; lists of blocks as a call takes them
  cachepointers                a slab cache by the pointer that kmem_cache_create returned
  machine, outcome             `Machine`, and what a call returned and changed
  telling                      what a call did to processes, put into words when it is asked for:
  faulting, observing          faults, entries, areas, LRU lists
  pte_text, vma_text           page table entries and areas in words
  reclaimed, swapped           what a call, and the kernel threads that it woke, reclaimed and swapped
  kswapd_runs                  when kswapd ran, and what that brought
  fates                        what becomes of a page that reclaim looks at, in words
  process_text                 what a call did to processes, in one sentence
  mistakes                     what callers do wrong: a table that makes an outcome's cause
  changes, frame_states        which frames a call changed, and the state of every frame
  block_orders                 which block each cell of a zone map is part of
  trace                        the steps of an explanation, which the kernel's functions report to `m.trace`:
                               a class for each protocol of `app.mm.tracepoints`

The whole state:
  boot, bootparam, profiles    a machine from a profile, a dump or a kept state (init/main.c)
  proctext                     a machine from the text of /proc/buddyinfo and its like, by way of a dump
  ruleset                      which corrected answers a machine knows, so that old journals replay
  parts                        what the state consists of: each part writes, reads and checks itself
  dump, loading, invariants    the parts as one JSON, a machine of it, and every rule that it must keep
  document                     reads a value of JSON from anywhere, and says where it is wrong

Looks at a machine, which change nothing:
  show, show_address, zonemap  the views that the API answers; also series, show_cost, slab_views, description
  readings                     single figures by a few words, for the files of demos and exercises
  vmallocinfo                  the areas of the vmalloc space, one by one
  vm_views, rmap_views         processes, their areas and page tables; who maps a frame
  vm_windows                   parts of address spaces, as many as a page has room for
  vm_alarms                    what a mistake has broken around one address of a process
  lru_views, file_views        pages of processes and files as lists, and by file
  swap_views, swap_window      swap areas, slots as runs; a stretch of one with whose pages it holds
  lru_walk, who_goes_next      parts of a list; what reclaim would do to the pages at its tail
  page_words                   the binary files of /proc: a word for each page
  proctree                     all files of /proc and /sys, as Linux's own tools read them
  leaks                        who leaks: what calls hold, by row and task; page_owner
  life                         what becomes of a frame, or of a page, from one call to the next
  replacement                  page replacement policies, compared by a reference string
"""
