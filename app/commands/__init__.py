"""The command line's commands on the database itself, also while a server runs on it.

`kmemlab --version` imports all of these modules, so a command imports what it needs inside its function.
"""
