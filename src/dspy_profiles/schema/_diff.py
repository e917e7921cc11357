"""What changed between two DSPys, and whether a profile notices."""

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

from dspy_profiles.config import KeyPath
from dspy_profiles.profiles import ResolvedProfile
from dspy_profiles.schema._sections import users_settings

__all__ = ["Change", "breaks", "describe_diff"]

Descriptor = Mapping[str, Any]


class Change(TypedDict):
    """One difference; plain JSON. `field` says what of the thing changed."""

    change: str  # "added", "removed", "changed"
    what: str  # "class", "parameter", "method parameter", "setting"
    owner: str  # "dspy.LM", "dspy.MIPROv2.compile", "dspy.settings"
    name: str
    field: str | None  # "type", "default", "required", "kind", "open", "deprecated"
    old: Any
    new: Any


_FIELDS = ("type", "default_source", "required", "kind", "deprecated")


def describe_diff(old: Descriptor, new: Descriptor) -> list[Change]:
    """Every class, parameter and setting that was added, removed or changed, in a stable order."""
    changes = [*_settings(old, new)]
    for name in sorted({*old["classes"], *new["classes"]}):
        changes += _class(name, old["classes"].get(name), new["classes"].get(name))
    return changes


def breaks(
    change: Mapping[str, Any], profile: ResolvedProfile, descriptor: Descriptor
) -> list[KeyPath]:
    """The keys of a profile that a change touches.

    Of what it leaves out, these are new defaults and parameters that are now required.
    """
    sections = _sections_of(change["owner"], profile, descriptor)
    touched: list[KeyPath] = []
    for path in sections:
        table: Any = profile.values
        for part in path:
            table = table[part]
        if change["what"] == "class":
            touched += [path] if change["change"] == "removed" or change["field"] else []
        elif change["name"] in table or _felt_unset(change):
            touched.append((*path, change["name"]))
    return touched


def _felt_unset(change: Mapping[str, Any]) -> bool:
    if change["change"] == "added":
        return bool(change["new"].get("required"))
    return change["field"] == "default" or (change["field"] == "required" and change["new"] is True)


def _sections_of(owner: str, profile: ResolvedProfile, descriptor: Descriptor) -> Iterator[KeyPath]:
    values = profile.values
    if owner == "dspy.settings" and "settings" in values:
        yield ("settings",)
    if owner == descriptor["lm"]:
        yield from ((s,) for s in ("lm",) if s in values)
        yield from (("lms", role) for role in profile.lms)
    if owner == descriptor["embedder"] and "embedder" in values:
        yield ("embedder",)
    for section, default in (("rm", "dspy.ColBERTv2"), ("adapter", None), ("provider", None)):
        table = values.get(section)
        if isinstance(table, Mapping):
            name = str(table.get("class") or table.get("class_name") or default)
            if descriptor["names"].get(name.replace(":", "."), name) == owner:
                yield (section,)


def _settings(old: Descriptor, new: Descriptor) -> Iterator[Change]:
    yield from _parameters("setting", "dspy.settings", users_settings(old), users_settings(new))


def _class(name: str, old: Descriptor | None, new: Descriptor | None) -> Iterator[Change]:
    if old is None or new is None:
        verb = "added" if old is None else "removed"
        yield _change(verb, "class", name, name, None, old and _brief(old), new and _brief(new))
        return
    for field in ("open", "deprecated"):
        if old[field] != new[field]:
            yield _change("changed", "class", name, name, field, old[field], new[field])
    yield from _parameters("parameter", name, _named(old["parameters"]), _named(new["parameters"]))
    methods = [d.get("methods") or {} for d in (old, new)]
    for method in sorted({*methods[0], *methods[1]}):
        before, after = (_named(m.get(method) or []) for m in methods)
        yield from _parameters("method parameter", f"{name}.{method}", before, after)


def _parameters(
    what: str, owner: str, old: Mapping[str, Descriptor], new: Mapping[str, Descriptor]
) -> Iterator[Change]:
    for name in sorted({*old, *new}):
        if name not in old:
            yield _change("added", what, owner, name, None, None, _brief(new[name]))
        elif name not in new:
            yield _change("removed", what, owner, name, None, _brief(old[name]), None)
        else:
            for field in _FIELDS:
                before, after = old[name].get(field), new[name].get(field)
                if before != after:
                    said = "default" if field == "default_source" else field
                    yield _change("changed", what, owner, name, said, before, after)


def _named(parameters: list[Descriptor]) -> dict[str, Descriptor]:
    return {p["name"]: p for p in parameters}


def _brief(described: Descriptor) -> dict[str, Any]:
    keys = ("type", "default_source", "required", "target", "open")
    return {key: described[key] for key in keys if key in described}


def _change(  # noqa: PLR0913, PLR0917 - the fields of a Change
    change: str, what: str, owner: str, name: str, field: str | None, old: Any, new: Any
) -> Change:
    return {
        "change": change,
        "what": what,
        "owner": owner,
        "name": name,
        "field": field,
        "old": old,
        "new": new,
    }
