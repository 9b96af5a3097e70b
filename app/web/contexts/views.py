"""What every view in the centre of the machine page is given; what one view is given stands in its module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class CentreView:
    """What the template of a view is given as `centre`. Each view adds fields of its own."""

    TEMPLATE: ClassVar[str]
