"""What a profile comes to, as TOML, JSON, variables or a program."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dspy_profiles.cli._output import JSON_VERSION, as_json
from dspy_profiles.config import Document, Edit, KeyPath
from dspy_profiles.errors import Place
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.secrets import Reference, secret_file, split_scheme

__all__ = ["as_payload", "rebased", "text"]


def text(profile: ResolvedProfile, form: str) -> str:
    """A profile in one of these forms: toml, json, env, python."""
    if form == "json":
        payload = {"version": JSON_VERSION, **as_payload(profile)}
        return json.dumps(payload, indent=2, ensure_ascii=False) + "\n"
    if form == "python":
        from dspy_profiles.cli.profiles._as_python import program

        return program(profile)
    if form == "env":
        from dspy_profiles.cli.profiles._as_env import variables

        return "\n".join(variables(_anchored(profile), "DSPY_")) + "\n"
    return _as_toml(profile.name, _anchored(profile))


def _as_toml(name: str, values: Mapping[str, Any]) -> str:
    edit = Edit(Document(Path(name)))
    roles = {role: table for role, table in values.get("lms", {}).items() if table}
    rest = {role: table for role, table in values.get("lms", {}).items() if not table}
    others = {key: value for key, value in values.items() if key != "lms" or rest or not roles}
    edit.set((name,), others | ({"lms": rest} if "lms" in others else {}))
    for role, table in roles.items():  # a section for each
        for key, value in table.items():
            edit.set((name, "lms", role, key), value)
    return edit.text


def as_payload(profile: ResolvedProfile) -> dict[str, Any]:
    """What `--format json` shows."""
    return {"name": profile.name, "profile": as_json(_anchored(profile))}


def rebased(value: Any, folder: Path) -> Any:
    """A value whose `file:` references start at this folder, whatever file they stand in."""
    if isinstance(value, Mapping):
        return {key: rebased(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [rebased(item, folder) for item in value]
    by_scheme = split_scheme(value, ("file",)) if isinstance(value, str) else None
    return value if by_scheme is None else f"file:{secret_file(by_scheme[1], folder)}"


def _anchored(profile: ResolvedProfile) -> dict[str, Any]:
    """The values, with `file:` references that hold in any folder."""

    def walk(value: Any, path: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return {key: walk(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [walk(item, path) for item in value]
        if not isinstance(value, Reference):
            return value
        place = profile.place(*path)
        return rebased(str(value), place.file.parent if isinstance(place, Place) else Path.cwd())

    anchored: dict[str, Any] = walk(profile.values, ())
    return anchored
