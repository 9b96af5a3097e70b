"""kmemlab: the memory allocators of Linux 6.1, as a machine to call, watch and replay."""

__version__ = "0.1.0"
