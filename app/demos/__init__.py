"""Guided demos: plain files that say which calls to make on which machine, and what there is to see.

README.md in this folder describes the files, so that a teacher can add one.
"""

from app.demos.demo import BadDemo, Demo, Part, Step, read
from app.demos.library import Library

__all__ = ["BadDemo", "Demo", "Library", "Part", "Step", "read"]
