"""``make soak``: hours in minutes. Prints what was seen, and fails if a promise was broken.

    python -m tests.soak --minutes 15

A real ``sterna serve`` with the built-in model gets everything that clients do, all at once. The
server is small on purpose: its cache and its queue are too small for what is asked of it.
"""

import asyncio
import sys
from argparse import ArgumentParser
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.soak.soak import soak

MIN_MINUTES_OF_SLOPE = 5.0  # over less, a slope is noise


def main() -> int:
    """Run, print, and return 1 if a promise was broken."""
    parser = ArgumentParser("soak", description="Put mixed load and faults on a server.")
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with TemporaryDirectory() as folder:
        report = asyncio.run(soak(arguments.minutes * 60, arguments.seed, Path(folder)))
    print(report.text())
    broken = report.broken(max_slope=1.0 if arguments.minutes >= MIN_MINUTES_OF_SLOPE else None)
    for line in broken:
        print(f"BROKEN: {line}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
