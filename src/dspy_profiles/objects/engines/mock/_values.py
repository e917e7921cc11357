"""Generate a value of any type that a field can have."""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, cast

import dspy
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from dspy_profiles.objects.engines.mock._json_values import Fill, json_for

__all__ = ["make_json", "make_value"]

# The smallest image and sound: one pixel, and no samples.
_PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8A"
    "AAAASUVORK5CYII="
)
_SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="


def make_value(
    annotation: Any, *, seed_text: str, name: str, field_info: FieldInfo | None = None
) -> Any:
    """Return a value that pydantic accepts for `annotation`, or None.

    The same seed and name give the same value in every process. The value respects the bounds and
    lengths of `field_info`.

    >>> make_value(int, seed_text="hello", name="age") == make_value(
    ...     int, seed_text="hello", name="age"
    ... )
    True
    """
    return _made(annotation, seed_text, name, field_info, by_alias=True)[1]


def make_json(
    annotation: Any,
    *,
    seed_text: str,
    name: str,
    field_info: FieldInfo | None = None,
    by_alias: bool = True,
) -> Any:
    """Return the same value as JSON data, as an LM would write it."""
    return _made(annotation, seed_text, name, field_info, by_alias=by_alias)[0]


def _made(
    annotation: Any, seed_text: str, name: str, field_info: FieldInfo | None, *, by_alias: bool
) -> tuple[Any, Any]:
    if field_info is not None:
        annotation = field_info.rebuild_annotation()
    try:
        read, schema = _type_of(annotation, by_alias)
    except Exception:  # noqa: BLE001  # the hooks of a type can raise anything
        return None, None
    for fill in Fill:
        data = json_for(schema, seed_text=seed_text, name=name, fill=fill)
        try:
            return data, read.validate_json(json.dumps(data), by_alias=by_alias, by_name=True)
        except Exception:  # noqa: BLE001, S112  # a user's validator can raise anything
            continue
    return None, None


def _type_of(annotation: Any, by_alias: bool) -> tuple[TypeAdapter[Any], Mapping[str, Any]]:
    try:
        return _cached_type(annotation, by_alias)
    except TypeError:  # an annotation that cannot be hashed
        return _read_type(annotation, by_alias)


def _read_type(annotation: Any, by_alias: bool) -> tuple[TypeAdapter[Any], Mapping[str, Any]]:
    read: TypeAdapter[Any] = TypeAdapter(annotation)
    return read, read.json_schema(by_alias=by_alias, schema_generator=_FullSchema)


# Creating a schema takes ten times as long as a value.
_cached_type = lru_cache(maxsize=512)(_read_type)


class _FullSchema(GenerateJsonSchema):
    """JSON Schema with additional formats for generated values."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default", "skipped-discriminator"}  # noqa: RUF012

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        del schema, error_info
        return {"type": "null"}

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        made = super().dict_schema(schema)
        if "keys_schema" in schema:
            made["propertyNames"] = self.generate_inner(schema["keys_schema"])
        if "values_schema" in schema:
            made["additionalProperties"] = self.generate_inner(schema["values_schema"])
        return made

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        made: JsonSchemaValue = {"type": "number"}
        names = {
            "ge": "minimum",
            "gt": "exclusiveMinimum",
            "le": "maximum",
            "lt": "exclusiveMaximum",
        }
        limits = {names[key]: float(cast(Any, schema)[key]) for key in names if key in schema}
        places, digits = schema.get("decimal_places"), schema.get("max_digits")
        if digits is not None:
            places = min(2, digits - 1) if places is None else places
            limits.setdefault("exclusiveMaximum", 10.0 ** (digits - places))
        if places is not None:
            limits["multipleOf"] = 10.0**-places
        if "multiple_of" in schema:
            limits["multipleOf"] = float(schema["multiple_of"])
        return made | limits

    def date_schema(self, schema: core_schema.DateSchema) -> JsonSchemaValue:
        return _within(schema, super().date_schema(schema), timedelta(days=1))

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> JsonSchemaValue:
        made = super().datetime_schema(schema)
        if schema.get("tz_constraint") not in (None, "naive"):
            made["format"] = "date-time, aware"
        return _within(schema, made, timedelta(seconds=1))

    def timedelta_schema(self, schema: core_schema.TimedeltaSchema) -> JsonSchemaValue:
        return _within(schema, super().timedelta_schema(schema), timedelta(seconds=1))

    def url_schema(self, schema: core_schema.UrlSchema) -> JsonSchemaValue:
        return super().url_schema(schema) | _scheme(schema)

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> JsonSchemaValue:
        return super().multi_host_url_schema(schema) | _scheme(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _dspy_schema(schema["cls"]) or super().model_schema(schema)


# How an LM writes types of DSPy that their fields do not show.
_DSPY_SCHEMAS: list[tuple[type, JsonSchemaValue]] = [
    (kind, made)
    for name, made in (
        ("Image", {"const": {"url": _PIXEL}}),
        ("Audio", {"const": {"data": _SILENCE, "audio_format": "wav"}}),
        ("History", {"const": {"messages": []}}),
        ("ToolCalls", {"const": {"tool_calls": []}}),
        ("Reasoning", {"type": "string"}),
    )
    if (kind := getattr(dspy, name, None)) is not None  # not every DSPy has each of them
]


def _dspy_schema(model: Any) -> JsonSchemaValue | None:
    if issubclass(model, dspy.Code):
        code = {"type": "string", "format": str(model.language).lower()}
        return {"type": "object", "properties": {"code": code}, "required": ["code"]}
    return next((dict(made) for kind, made in _DSPY_SCHEMAS if issubclass(model, kind)), None)


def _within(schema: Any, made: JsonSchemaValue, step: timedelta) -> JsonSchemaValue:
    """Return `made` with a constant between limits that JSON Schema cannot express."""
    if schema.get("now_op") == "future":
        return made | {"format": f"{made['format']}, future"}
    low = schema["gt"] + step if "gt" in schema else schema.get("ge")
    high = schema["lt"] - step if "lt" in schema else schema.get("le")
    if low is None and high is None:
        return made
    value = low if high is None else high if low is None else low + (high - low) / 2
    if isinstance(value, date | datetime):
        return made | {"const": value.isoformat()}
    return made | {"const": value.total_seconds()}


def _scheme(schema: Any) -> dict[str, str]:
    allowed = schema.get("allowed_schemes")
    return {"x-scheme": allowed[0]} if allowed and "https" not in allowed else {}
