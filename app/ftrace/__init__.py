"""A log of a real kernel's page allocations, as ftrace or trace-cmd prints it, as calls of this machine.

  lines       a log's lines, event by event
  conversion  events as calls; what each must get, and what could not be used
  adopting    frames that were in use before the log began, put into the dump that a machine starts from
  comparing   what the machine gave, beside what the kernel gave

The level is that of page frames: a slab, a page table, a page of a file are seen as the pages that they take.
"""
