"""The files of a project in which something acts, and those of them that are not trusted."""

from collections.abc import Iterator
from pathlib import Path

from dspy_profiles.config._acts import RESULTS, acts, deeds_or_none
from dspy_profiles.config._env_files import is_inside
from dspy_profiles.config._locations import Locations
from dspy_profiles.config._trust import is_yours, trusts

__all__ = ["acting_files", "untrusted_files"]


def acting_files(locations: Locations) -> list[Path]:
    """Return the project's files in which something acts; files of your own are none of them."""
    found = dict.fromkeys(_files(locations))
    return [path for path in found if not is_yours(path, locations) and acts(deeds_or_none(path))]


def untrusted_files(locations: Locations) -> list[Path]:
    """Return the project's files that wait for `dspy-profiles trust`."""
    return [path for path in acting_files(locations) if not trusts(path)]


def _files(locations: Locations) -> Iterator[Path]:
    yield from (layer.path for layer in locations.layers)
    yield from locations.pyprojects
    yield from locations.env_files
    results = locations.root / ".dspy" / RESULTS
    if not is_inside(results, locations.checkout):
        yield results
