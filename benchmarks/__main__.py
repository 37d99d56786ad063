"""All benchmarks: `python -m benchmarks [--quick] [NAME …]` prints one table and writes benchmarks/results.json."""

import argparse
import sys
from importlib import import_module

from benchmarks.figures import Figure, machine, save, show

NAMES = (
    *("startup", "memory", "throughput", "service", "speculation"),
    *("sandbox", "replay", "evals", "tui", "textgrad_compare"),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; none means all")
    parser.add_argument("--quick", action="store_true", help="fewer items: no figure to quote")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.names or NAMES:
        print(f"{name} …", file=sys.stderr, flush=True)
        figures += import_module(f"benchmarks.{name}").measure(quick=options.quick)
    print(machine())
    show(figures)
    if not (options.quick or options.names):
        save(figures)


if __name__ == "__main__":
    main()
