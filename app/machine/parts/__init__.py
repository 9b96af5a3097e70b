"""The parts of a machine's state: how each is written into a dump and read from one."""
