"""What real machines were when they had booted: zones, marks, reserves and limits, without free lists."""

import gzip
import json
from pathlib import Path
from typing import Any

PATH = Path(__file__).parents[1] / "recordings" / "boots.jsonl.gz"


def recorded() -> dict[str, dict[str, Any]]:
    """By the machine's name."""
    with gzip.open(PATH, "rt") as lines:
        return {boot["machine"]: boot for boot in map(json.loads, lines)}


BOOTS = recorded()
