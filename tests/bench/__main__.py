"""`python -m tests.bench [--rounds 3] [--seconds 3]`"""

import argparse
import tempfile
from pathlib import Path

from tests.bench import machine, service
from tests.bench.load import generator


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=service.__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    chosen = parser.parse_args()
    print(f"A durable alloc_pages beside a FastAPI echo; the last columns are ratios. Load: {generator()}\n")
    with tempfile.TemporaryDirectory(dir=".") as folder:  # on this disk: /tmp may be memory
        service.compare(Path(folder).resolve(), [16, 64], chosen.rounds, chosen.seconds)
    print("\nThe machine beside a toy\n")
    machine.compare(chosen.rounds)


if __name__ == "__main__":
    main()
