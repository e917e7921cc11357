"""Run the benchmarks and print their ratios; `--json` prints them for programs."""

import argparse
import json
import os
import platform
import sys
from dataclasses import asdict

from benchmarks import activation, launcher, listing, pytest_plugin, start_up
from benchmarks import resolve as resolving

GROUPS = {
    "activation": activation.rows,
    "list": listing.rows,
    "run": launcher.rows,
    "pytest": pytest_plugin.rows,
    "start-up": start_up.rows,
    "resolve": resolving.rows,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("group", nargs="*", choices=[[], *GROUPS], help="all where none is named")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    rows = [row for name in wanted.group or GROUPS for row in GROUPS[name]()]
    machine = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
    }
    if wanted.json:
        json.dump({"machine": machine, "rows": [asdict(row) for row in rows]}, sys.stdout, indent=2)
        print()
        return
    print(f"{machine['system']}, Python {machine['python']}, {machine['cores']} cores\n")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
