"""Run the benchmarks and print their ratios; `--json` prints them for programs."""

import argparse
import json
import sys
from dataclasses import asdict

from benchmarks import (
    activation,
    cassettes,
    ipython,
    launcher,
    listing,
    pytest_plugin,
    recorder,
    start_up,
    stores,
)
from benchmarks import resolve as resolving
from benchmarks.machine import machine

GROUPS = {
    "activation": activation.rows,
    "list": listing.rows,
    "run": launcher.rows,
    "pytest": pytest_plugin.rows,
    "ipython": ipython.rows,
    "start-up": start_up.rows,
    "resolve": resolving.rows,
    "recorder": recorder.rows,
    "stores": stores.rows,
    "cassettes": cassettes.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("group", nargs="*", choices=[[], *GROUPS], help="all where none is named")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    rows = [row for name in wanted.group or GROUPS for row in GROUPS[name]()]
    where = machine()
    if wanted.json:
        shown = [{**asdict(row), "told": row.told} for row in rows]
        json.dump({"machine": where, "rows": shown}, sys.stdout, indent=2, ensure_ascii=False)
        print()
        return
    print(", ".join(f"{name} {found}" for name, found in where.items()), "\n")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
