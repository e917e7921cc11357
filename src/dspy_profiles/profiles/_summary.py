"""Summarize one profile or all of them, for the terminal and notebooks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.display import on_path, show_place, show_value
from dspy_profiles.errors import ProfileError, ProfileNotFound
from dspy_profiles.profiles import _resolve
from dspy_profiles.profiles._presence import holds_plaintext, presence
from dspy_profiles.profiles._profile import ResolvedProfile, leaves
from dspy_profiles.profiles._resolve import Choice, Scene
from dspy_profiles.profiles._wants import acts_in

__all__ = [
    "PLAINTEXT",
    "UNTRUSTED",
    "Row",
    "active_choice",
    "profile_rows",
    "short_reason",
    "summary",
]


@dataclass(frozen=True)
class Row:
    """One value: its place, its parent, and whether its secret is available."""

    key: str
    value: str
    place: str
    remark: str


def profile_rows(scene: Scene, found: ResolvedProfile) -> list[Row]:
    """Return every value of a profile, with secrets masked and references as written."""
    rows = []
    for key, value in leaves(found.values):
        if key == ("description",):
            continue
        remarks = filter(None, (_inherited(found, key), presence(scene, found, key)))
        where = show_place(found.origin(key).place)
        rows.append(Row(join_key(key), show_value(value), where, " · ".join(remarks)))
    return rows


def active_choice(scene: Scene) -> Choice | None:
    """Return the profile that is active without a name, or None."""
    try:
        return _resolve.choose(scene, None)
    except ProfileNotFound:
        return None


PLAINTEXT = "plaintext secret"
UNTRUSTED = "not trusted"


def short_reason(scene: Scene, reason: str) -> str:
    """Return the reason with its path shortened."""
    origin = scene.settings.values["default"].origin
    path, colon, line = origin.rpartition(":")
    return reason.replace(origin, f"{on_path(Path(path))}{colon}{line}") if colon else reason


def summary(
    scene: Scene, name: str, active: Choice | None, *, lines: bool = True
) -> dict[str, Any]:
    """Return one profile's entry of a list; an invalid one has `error`.

    `line` is None without `lines`: then no text is searched for it.
    """
    definition, found, error = None, None, None
    try:
        definition = scene.catalog.find(name)
        found = _resolve.resolve_choice(scene, Choice(name, ""), allow_plaintext=True)
    except ProfileError as failure:
        error = " ".join(str(failure).split())
    own = dict(definition.table) if definition else {}
    is_active = active is not None and active.name == name
    document = definition.document if definition else None
    line = document.line((name,)) if document and lines else None
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
        "file": str(document.path) if document else None,
        "line": line,
        "active": is_active,
        "reason": active.reason if active is not None and is_active else None,
        "plaintext": found is not None and holds_plaintext(found),
        "trusted": found is None or not acts_in(found, scene.untrusted),
        "error": error,
    }


def _inherited(found: ResolvedProfile, key: KeyPath) -> str:
    parent = found.origin(key).profile
    return "" if parent == found.name else f"from {parent}"
