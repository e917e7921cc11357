"""The files of a project in which something acts, and those of them that are not trusted."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dspy_profiles.config._acts import (
    RESULTS,
    Deed,
    action_of,
    acts,
    deeds_or_none,
    given_in,
)
from dspy_profiles.config._keys import split_key
from dspy_profiles.config._locations import Locations, is_inside
from dspy_profiles.config._trust import is_yours, trusts
from dspy_profiles.secrets import filled

__all__ = ["acting_files", "untrusted_files"]


def acting_files(locations: Locations) -> list[Path]:
    """Return the project's files in which something acts; files of your own are none of them."""
    deeds = {path: deeds_or_none(path) for path in _files(locations)}
    return [
        path
        for path, found in deeds.items()
        if not is_yours(path, locations)
        and (acts(found) or _is_taken(given_in(found), deeds) or _leads_out(path, locations))
    ]


def _leads_out(path: Path, locations: Locations) -> bool:
    """Return whether this is a file that is read once it is trusted: a link out of the project."""
    is_file = os.path.isfile(path)  # noqa: PTH113 - may not raise
    is_meant = path in locations.env_files or os.path.islink(path)  # noqa: PTH114 - the same
    return is_file and is_meant and not is_inside(path, locations.checkout)


def _is_taken(given: Mapping[str, str], deeds: Mapping[Path, list[Deed] | None]) -> bool:
    """Return whether something that acts takes one of these variables: an address, mostly."""
    for kind, key, value in (deed for found in deeds.values() for deed in found or ()):
        text = filled(value, given)
        if kind == "put" or text == filled(value, {}):
            continue
        if kind != "refer" or action_of(split_key(key)[1:], text) is not None:
            return True
    return False


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
