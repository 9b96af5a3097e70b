"""The kernel: Linux 6.1.192's memory allocators as a pure, deterministic model."""
