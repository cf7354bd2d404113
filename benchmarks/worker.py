"""Time the tasks of one module and print the results: python -m benchmarks.worker MODULE."""

from __future__ import annotations

import importlib
import json
import sys

from benchmarks.timing import measure


def main() -> None:
    """Print one line of JSON per task, as soon as it is measured."""
    module = importlib.import_module(f"benchmarks.{sys.argv[1]}")
    for task in module.TASKS:
        print(json.dumps(measure(task)), flush=True)


if __name__ == "__main__":
    main()
