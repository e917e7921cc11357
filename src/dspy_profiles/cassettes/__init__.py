"""What models said, kept in files that tests are run against: recorded once, replayed for ever."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dspy_profiles.cassettes.cassette import Cassette
    from dspy_profiles.cassettes.listing import Description, describe, prune
    from dspy_profiles.cassettes.modes import MODES, Mode, checked_mode
    from dspy_profiles.cassettes.player import Player, stages_for
    from dspy_profiles.cassettes.requests import MATCH, checked_match
    from dspy_profiles.cassettes.scan import Finding, scan
    from dspy_profiles.cassettes.tape import Entry

__all__ = [
    "MATCH",
    "MODES",
    "Cassette",
    "Description",
    "Entry",
    "Finding",
    "Mode",
    "Player",
    "checked_match",
    "checked_mode",
    "describe",
    "prune",
    "scan",
    "stages_for",
]

# Most of these rooms import DSPy, and some who need another one have no use for it.
_ROOMS = {
    "MATCH": "requests",
    "MODES": "modes",
    "Cassette": "cassette",
    "Description": "listing",
    "Entry": "tape",
    "Finding": "scan",
    "Mode": "modes",
    "Player": "player",
    "checked_match": "requests",
    "checked_mode": "modes",
    "describe": "listing",
    "prune": "listing",
    "scan": "scan",
    "stages_for": "player",
}


def __getattr__(name: str) -> object:
    room = _ROOMS.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value
