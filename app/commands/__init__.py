"""The command line's commands on the database itself, also while a server runs on it."""
