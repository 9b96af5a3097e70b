"""What is raised for a file that is no exercise."""

from __future__ import annotations

from app.tomlfiles import BadFile


class BadExercise(BadFile):
    """A file that is no exercise: which, where in it, and what would be accepted."""

    what = "an exercise"
