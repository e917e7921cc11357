"""JSON Schema of a profiles file, in draft 4, which TOML editors understand."""

from collections.abc import Iterable, Mapping
from typing import Any

from dspy_profiles.profiles import SECTIONS
from dspy_profiles.schema._sections import HAVE_SECTIONS, Shape, shape_of, users_settings
from dspy_profiles.schema._values import words

__all__ = ["profiles_schema"]

Schema = dict[str, Any]
Descriptor = Mapping[str, Any]

_DRAFT = "http://json-schema.org/draft-04/schema#"
_PATH = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*[.:][A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
_REFERENCE = {
    "description": "a reference, replaced when the profile is built",
    "pattern": r"(^|[^$])\$\{[^}]+\}|^(env|file|keyring):",
    "type": "string",
}
_PLAIN = ("string", "integer", "number", "boolean")


def profiles_schema(descriptor: Descriptor) -> Schema:
    """Return the JSON Schema of a profiles file for the DSPy of the descriptor."""
    version = descriptor["version"] or "unknown version"
    return {
        "$schema": _DRAFT,
        "title": f"profiles.toml for DSPy {version}",
        "type": "object",
        "additionalProperties": _defined("profile"),
        "definitions": {
            "profile": _profile(),
            "lm": _arguments(descriptor, descriptor["lm"], "lm"),
            "embedder": _arguments(descriptor, descriptor["embedder"], "embedder"),
            "rm": _of_classes(descriptor, "rm", "retrievers", "dspy.ColBERTv2"),
            "adapter": _of_classes(descriptor, "adapter", "adapters", None),
            "provider": {
                "type": "object",
                "description": SECTIONS["provider"].help,
                "properties": {"class": _class_name([])},
                "required": ["class"],
                "additionalProperties": True,
            },
            "settings": _settings(descriptor),
        },
    }


def _profile() -> Schema:
    parents = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    return {
        "type": "object",
        "description": "A profile: how and where DSPy runs.",
        "properties": {
            "extends": {"description": SECTIONS["extends"].help, "anyOf": parents},
            "description": {"type": "string", "description": SECTIONS["description"].help},
            **{name: _defined(name) for name in ("lm", "rm", "adapter", "provider", "settings")},
            "lms": _table_of("lms", _defined("lm")),
            "embedder": _defined("embedder"),
            "env": _table_of("env", {"type": "string"}),
        },
        "additionalProperties": False,
    }


def _defined(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


def _table_of(section: str, values: Schema) -> Schema:
    help_text = SECTIONS[section].help
    return {"type": "object", "description": help_text, "additionalProperties": values}


def _arguments(descriptor: Descriptor, name: str, section: str) -> Schema:
    description = descriptor["classes"].get(name)
    shape = shape_of(description, name, section)
    return {
        "type": "object",
        "description": f"{SECTIONS[section].help} {(description or {}).get('doc') or ''}".strip(),
        "properties": _properties(shape),
        "additionalProperties": shape.open,
    }


def _settings(descriptor: Descriptor) -> Schema:
    users = users_settings(descriptor)
    known = {key: users[key] for key in users if key not in HAVE_SECTIONS}
    return {
        "type": "object",
        "description": SECTIONS["settings"].help,
        "properties": _properties(Shape("dspy.settings", known)),
        "additionalProperties": bool(descriptor["settings_open"]),
    }


def _of_classes(descriptor: Descriptor, section: str, group: str, default: str | None) -> Schema:
    """Return the schema of a section that describes an instance of a class.

    Draft 4 has no `if`; "another class, or only these keys" is equivalent.
    """
    shapes = {n: shape_of(descriptor["classes"][n], n) for n in descriptor[group]}
    properties: Schema = {}
    for shape in shapes.values():
        for key, schema in _properties(shape).items():
            properties[key] = _either(properties.get(key), schema)
    properties |= {"class": _class_name(shapes)}
    if default is not None:
        properties["class_name"] = {"type": "string", "description": "Another spelling of class."}
    closed = [_only(n, shape, default) for n, shape in shapes.items() if not shape.open]
    made: Schema = {
        "type": "object",
        "description": SECTIONS[section].help,
        "properties": properties,
        "additionalProperties": True,
    }
    if default is None:
        made["required"] = ["class"]
    return made | ({"allOf": closed} if closed else {})


def _only(name: str, shape: Shape, default: str | None) -> Schema:
    named: Schema = {"properties": {"class": {"enum": [name]}}, "required": ["class"]}
    if name == default:  # also if no class is named
        named = {
            "not": {
                "anyOf": [
                    {"properties": {"class": {"not": {"enum": [name]}}}, "required": ["class"]},
                    {
                        "properties": {"class_name": {"not": {"enum": [name]}}},
                        "required": ["class_name"],
                    },
                ]
            }
        }
    keys = [*shape.known, "class", *(["class_name"] if default else [])]
    alone: Schema = {"properties": {key: {} for key in keys}, "additionalProperties": False}
    required = [key for key, parameter in shape.known.items() if parameter["required"]]
    if required:
        alone["required"] = required
    return {"anyOf": [{"not": named}, alone]}


def _class_name(shapes: Iterable[str]) -> Schema:
    known = sorted(shapes)
    free: Schema = {"type": "string", "description": "pkg.mod.Class or pkg.mod:Class"}
    if not known:
        return free | {"description": "pkg.mod.Class, pkg.mod:Class, or a short name"}
    dotted = free | {"pattern": _PATH}
    return {"description": "The class of the object.", "anyOf": [{"enum": known}, dotted]}


def _properties(shape: Shape) -> Schema:
    made = {}
    for name, parameter in shape.known.items():
        doc = parameter["doc"] or ""
        if parameter["deprecated"]:
            doc = f"Deprecated. {doc}".strip()
        made[name] = _described(_of(parameter["type"]), doc, parameter.get("default"))
    for name, kind in shape.passed_on.items():
        made[name] = _described(_of(kind), f"Forwarded by {shape.title}.", None)
    return made


def _described(schema: Schema, doc: str, default: object) -> Schema:
    made = dict(schema)
    if doc:
        made["description"] = doc
    if isinstance(default, str | int | float | list | dict):
        made["default"] = default
    return made


def _of(kind: Mapping[str, Any]) -> Schema:
    """Return a type as a schema; references are allowed except for tables and lists."""
    parts = kind["of"] if kind["kind"] == "union" else [kind]
    schemas = [_alone(part) for part in parts if part["kind"] != "null"]
    if not schemas or {} in schemas:
        return {}
    scalar = any(s.get("type") not in {"array", "object"} for s in schemas)
    if scalar and {"type": "string"} not in schemas:
        schemas.append(_REFERENCE)
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _alone(kind: Mapping[str, Any]) -> Schema:
    name = kind["kind"]
    if name in _PLAIN:
        return {"type": name}
    if name == "literal":
        return {"enum": list(kind["values"])}
    if name == "list":
        items = _of(kind["items"])
        return {"type": "array", "items": items} if items else {"type": "array"}
    if name == "table":
        values = _of(kind["values"])
        return {"type": "object", "additionalProperties": values or True}
    if name == "object":
        return _object(kind)
    return {"type": "string", "pattern": _PATH} if name in {"callable", "class"} else {}


def _object(kind: Mapping[str, Any]) -> Schema:
    if kind["written"] == "path":
        return {"type": "string", "pattern": _PATH}
    if kind["written"] == "role":
        return {"type": "string", "description": words(kind)}
    return {"not": {}, "description": words(kind)} if kind["written"] == "nothing" else {}


def _either(one: Schema | None, other: Schema) -> Schema:
    if one is None or one == other:
        return other
    parts = [*one["anyOf"]] if set(one) == {"anyOf"} else [one]
    if {} in parts or not other:
        return {}
    return {"anyOf": [*parts, *([other] if other not in parts else [])]}
