"""Exercises as one practises them: a machine of one's own, no points, nothing kept but the session.

`variants` draws an exercise's values by a number, `practice` has the use cases that both faces share, `masks`
says what of a task a person may see.
"""

from app.practice.practice import Answered, Begun, Checked, Practice, Revealed
from app.practice.variants import Practised, Which

__all__ = ["Answered", "Begun", "Checked", "Practice", "Practised", "Revealed", "Which"]
