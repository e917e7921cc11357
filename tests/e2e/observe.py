"""Runs the workloads under cassettes, and writes down all that can be seen of them.

    python observe.py MODE PROFILE CASSETTES SAID [PACKAGES]

With mode none the network is closed: an attempt to reach it ends the process.
"""

import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from closed import close_network

if sys.argv[1] == "none":
    close_network()
sys.path += sys.argv[5:]

import dspy
from noted import Noted, told
from workloads import WORKLOADS, miprov2

from dspy_profiles import _dspy, profile

# What differs each time, and the mark of a replayed call.
DIFFERS = ("timestamp", "uuid", "replayed")


def seen(workload: Callable[[], Any], mode: str, name: str, cassette: Path) -> dict[str, Any]:
    noted = Noted()
    with (
        profile(name, cassette=cassette, cassettes=mode),
        dspy.context(callbacks=[noted]),
        dspy.track_usage() as tracker,
    ):
        result = told(workload())
    history = [*_dspy.history()]
    _dspy.history().clear()
    return {
        "result": result,
        "usage": tracker.get_total_tokens(),
        "events": noted.events,
        "history": sorted(told(without(entry)) for entry in history),
        "replayed": [entry.get("replayed", False) for entry in history],
    }


def without(entry: dict[str, Any]) -> list[Any]:
    return sorted((key, value) for key, value in entry.items() if key not in DIFFERS)


def main(mode: str, name: str, folder: Path, said: Path) -> None:
    found = {}
    for workload in WORKLOADS:
        if workload is not miprov2 or importlib.util.find_spec("optuna") is not None:
            title = workload.__name__
            found[title] = seen(workload, mode, name, folder / f"{title}.jsonl")
    said.write_text(json.dumps(found), encoding="utf-8")


main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
