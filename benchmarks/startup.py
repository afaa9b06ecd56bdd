"""What `qaudit --help` and `qaudit plugins` cost before any work: processor seconds beside a floor, the import of numpy alone.

Medians of interleaved rounds; a ratio holds on another machine, a second does not.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys

ROUNDS = 9
COMMANDS = {
    "import numpy (floor)": ["-c", "import numpy"],
    "qaudit --help": ["-m", "qaudit", "--help"],
    "qaudit plugins": ["-m", "qaudit", "plugins"],
    "qaudit plugins --json": ["-m", "qaudit", "plugins", "--json"],
}


def spent(words: list[str]) -> float:
    """User and system seconds of one Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print the table."""
    seen: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):
        for name, words in COMMANDS.items():
            seen[name].append(spent(words))
    floor = statistics.median(next(iter(seen.values())))
    for name, seconds in seen.items():
        middle = statistics.median(seconds)
        print(f"{name:24} {middle:.3f} s   {middle / floor:.2f} x the floor")


if __name__ == "__main__":
    main()
