"""One profile, or all of them, as rows of text: what the terminal and notebooks show."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.display import on_path, show_place, show_value
from dspy_profiles.errors import Place, ProfileError, ProfileNotFound
from dspy_profiles.profiles import _resolve
from dspy_profiles.profiles._presence import holds_plaintext, presence
from dspy_profiles.profiles._profile import ResolvedProfile, leaves
from dspy_profiles.profiles._resolve import Choice, Scene

__all__ = ["PLAINTEXT", "Row", "applying", "rows_of", "summary", "why"]


@dataclass(frozen=True)
class Row:
    """One value: where it was written, from whom it is inherited, whether its secret is there."""

    key: str
    value: str
    place: str
    remark: str


def rows_of(scene: Scene, found: ResolvedProfile) -> list[Row]:
    """Every value of a profile, secrets masked, references as they are written."""
    rows = []
    for key, value in leaves(found.values):
        if key == ("description",):
            continue
        remarks = filter(None, (_inherited(found, key), presence(scene, found, key)))
        where = show_place(found.origin(key).place)
        rows.append(Row(join_key(key), show_value(value), where, " · ".join(remarks)))
    return rows


def applying(scene: Scene) -> Choice | None:
    """The profile that applies where none is named, if one does."""
    try:
        return _resolve.choose(scene, None)
    except ProfileNotFound:
        return None


PLAINTEXT = "holds a secret in clear"


def why(scene: Scene, reason: str) -> str:
    """The reason, with a path in it as it is short from here."""
    origin = scene.settings.values["default"].origin
    path, colon, line = origin.rpartition(":")
    return reason.replace(origin, f"{on_path(Path(path))}{colon}{line}") if colon else reason


def summary(scene: Scene, name: str, active: Choice | None) -> dict[str, Any]:
    """What a list says of one profile; one that is invalid says why."""
    definition, found, error = None, None, None
    try:
        definition = scene.catalog.find(name)
        found = _resolve.resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
    except ProfileError as fault:
        error = " ".join(str(fault).split())
    own = dict(definition.table) if definition else {}
    is_active = active is not None and active.name == name
    place_of = definition.place() if definition else None
    at = place_of if isinstance(place_of, Place) else None
    model = show_value(found.lm.get("model", "")) if found else ""
    return {
        "name": name,
        "model": model or None,
        "provider": show_value(found.provider["class"])
        if found and "class" in found.provider
        else None,
        "description": own.get("description") if isinstance(own.get("description"), str) else None,
        "extends": list(definition.parents) if definition and not error else [],
        "layer": definition.layer if definition else None,
        "file": str(at.file) if at else None,
        "line": at.line if at else None,
        "active": is_active,
        "reason": active.reason if active is not None and is_active else None,
        "plaintext": found is not None and holds_plaintext(found),
        "error": error,
    }


def _inherited(found: ResolvedProfile, key: KeyPath) -> str:
    giver = found.origin(key).profile
    return "" if giver == found.name else f"from {giver}"
