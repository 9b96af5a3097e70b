"""Replaying recordings of processes on a real kernel.

`replay` walks through one, `recorded` holds what it says, `start` makes the machine's state before the first
operation, `others` makes what everybody else took and freed, each at its place in the `order`, `operations`
what the processes did, `compare` finds what differs afterwards, `identities` tells which of our objects a
recorded one is.
"""
