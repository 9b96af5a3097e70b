"""`make bench`: what a durable call costs beside a bare FastAPI echo, and an allocation beside a toy buddy.

Everything is a ratio of two things measured back to back in one run: machines differ, and so does one machine
from minute to minute.
"""
