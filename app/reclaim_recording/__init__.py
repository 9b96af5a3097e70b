"""Replaying recordings of page reclaim on a real kernel.

`replay` walks through one, `recorded` holds what it says, `start` makes the machine's state before the first
operation with those who sleep meanwhile (`sleepers`), `others` makes what everybody else took and freed,
`operations` what the process did, `beside` gives kswapd a stack of its own, `events` writes down what our
kernel does in the recording's words, `compare` finds what differs.
"""
