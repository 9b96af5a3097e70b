"""Folders of TOML files that a teacher writes: read field by field, each mistake named with its place.

Guided demos and exercises are such files.
"""

from app.tomlfiles.library import Folder, Library, shipped
from app.tomlfiles.table import BadFile, Table, load

__all__ = ["BadFile", "Folder", "Library", "Table", "load", "shipped"]
