"""What models said, kept in files that tests are run against: recorded once, replayed for ever."""

from dspy_profiles.cassettes.cassette import Cassette
from dspy_profiles.cassettes.listing import Description, describe, prune
from dspy_profiles.cassettes.modes import MODES, Mode, checked_mode
from dspy_profiles.cassettes.player import Player
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
]
