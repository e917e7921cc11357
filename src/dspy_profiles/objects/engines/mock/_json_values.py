"""Generate a JSON value for any JSON Schema: valid, readable, the same for the same seed."""

import json
import math
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, cast

from dspy_profiles.objects.engines.mock._formats import formatted, plain_text
from dspy_profiles.objects.engines.mock._patterns import text_matching
from dspy_profiles.objects.engines.mock._text import Draw

__all__ = ["Fill", "json_for"]

Schema = Mapping[str, Any]

_USUAL_ITEMS = 2  # in a list without a length
_VAIN_DRAWS = 40  # of duplicate items, before a list stays too short
_DEEP = 3  # levels of nesting below which lists have the minimum length
_TOO_DEEP = 12  # levels after which a recursive schema ends


class Fill(Enum):
    """How much of the optional parts of a schema is generated."""

    ALL = "every field"
    NEEDED = "only what is required; the rest is left to its defaults"
    GIVEN = "the schema's own examples and defaults before anything made up"


@dataclass(frozen=True, slots=True)
class _Place:
    """A position in the schema."""

    name: str
    draw: Draw
    fill: Fill
    definitions: Schema
    passed: tuple[str, ...] = ()  # the definitions around it
    depth: int = 0

    def below(self, step: object, name: str | None = None) -> "_Place":
        return replace(
            self, name=name or self.name, draw=self.draw.child(step), depth=self.depth + 1
        )

    @property
    def sparing(self) -> bool:
        """Whether to generate the minimum: a definition inside of itself must end."""
        return self.fill is not Fill.ALL or len(self.passed) > len(set(self.passed))

    @property
    def usual_items(self) -> int:
        if self.sparing:
            return 0
        return _USUAL_ITEMS if self.depth < _DEEP else 1


def json_for(schema: Schema, *, seed_text: str, name: str, fill: Fill = Fill.ALL) -> Any:
    """Return a JSON value that `schema` allows. Strings contain `name`.

    >>> json_for({"type": "integer", "minimum": 7, "maximum": 7}, seed_text="hi", name="age")
    7
    """
    return _value(schema, _Place(name, Draw(seed_text).child(name), fill, {}))


def _value(schema: Schema | bool, place: _Place) -> Any:
    if place.depth > _TOO_DEEP:
        return None
    schema = {} if isinstance(schema, bool) else schema
    for word in ("$defs", "definitions"):
        if word in schema:
            place = replace(place, definitions={**place.definitions, **schema[word]})
    if "$ref" in schema:
        passed = (*place.passed, str(schema["$ref"]))
        inside = replace(place, passed=passed, depth=place.depth + 1)
        return _value(_resolved(schema, place), inside)
    if given := _given(schema, place):
        return deepcopy(place.draw.pick(given))
    if "allOf" in schema:
        return _value(_merged(schema, place), place)
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return _value(_choice(choices, place), place)
    return _MAKERS.get(_kind(schema), _text)(schema, place)


def _resolved(schema: Schema, place: _Place) -> Schema:
    reference = str(schema["$ref"]).rsplit("/", 1)[-1]
    found: Schema = place.definitions.get(reference, {})
    return found


def _given(schema: Schema, place: _Place) -> list[Any]:
    """Return the values that the schema itself lists."""
    if place.fill is Fill.GIVEN and "default" in schema:
        return [schema["default"]]
    if place.fill is Fill.GIVEN and schema.get("examples"):
        return list(schema["examples"])
    return [schema["const"]] if "const" in schema else list(schema.get("enum", ()))


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if kind is None:
        return "object" if "properties" in schema else "array" if "items" in schema else "string"
    return str(kind)


def _merged(schema: Schema, place: _Place) -> Schema:
    merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        resolved = _resolved(part, place) if "$ref" in part else part
        properties = {**merged.get("properties", {}), **resolved.get("properties", {})}
        required = [*merged.get("required", []), *resolved.get("required", [])]
        merged.update(resolved)
        if properties:
            merged.update(properties=properties, required=required)
    return merged


def _choice(choices: list[Schema], place: _Place) -> Schema:
    """Return the first choice that is not null, or the simplest one if sparing."""
    nulls = [choice for choice in choices if choice.get("type") == "null"]
    if place.sparing and nulls:
        return nulls[0]
    others = [choice for choice in choices if choice.get("type") != "null"] or choices
    if place.sparing:
        others.sort(key=lambda choice: "$ref" in json.dumps(choice, default=str))
    return others[0]


def _array(schema: Schema, place: _Place) -> list[Any]:
    fixed = list(schema.get("prefixItems", []))
    least = max(int(schema.get("minItems", 0)), len(fixed) if not place.sparing else 0)
    count = max(least, place.usual_items) if "items" in schema and not fixed else least
    count = min(count, int(schema.get("maxItems", count)))
    made: list[Any] = []
    for step in range(count + _VAIN_DRAWS):
        if len(made) >= count:
            break
        item = fixed[step] if step < len(fixed) else schema.get("items", {})
        value = _value(item, place.below(step))
        if not (schema.get("uniqueItems") and value in made):
            made.append(value)
    return made


def _object(schema: Schema, place: _Place) -> dict[str, Any]:
    required = schema.get("required", ())
    made = {
        # By position, so that a field has the same value under its name and its alias.
        name: _value(part, place.below(position, name))
        for position, (name, part) in enumerate(schema.get("properties", {}).items())
        if name in required or not place.sparing
    }
    more = schema.get("additionalProperties", False)
    if schema.get("properties") or more is False:
        return made
    count = max(int(schema.get("minProperties", 0)), place.usual_items)
    count = min(count, int(schema.get("maxProperties", count)))
    for step in range(count + _VAIN_DRAWS):
        if len(made) >= count:
            break
        key = _value(schema.get("propertyNames", {}), place.below(f"key {step}", "key"))
        key = key if isinstance(key, str) else json.dumps(key)
        made.setdefault(key, _value(more, place.below(f"value {step}")))
    return made


def _integer(schema: Schema, place: _Place) -> int:
    step: int = max(1, round(schema.get("multipleOf", 1)))
    low, high = schema.get("minimum"), schema.get("maximum")
    if "exclusiveMinimum" in schema:
        low = max(math.floor(schema["exclusiveMinimum"]) + 1, -math.inf if low is None else low)
    if "exclusiveMaximum" in schema:
        high = min(math.ceil(schema["exclusiveMaximum"]) - 1, math.inf if high is None else high)
    if low is None:
        low = 1 if high is None or high >= step else high - 99 * step
    first: int = math.ceil(low / step) if step > 1 else math.ceil(low)
    last = first + 98 if high is None else high // step
    return step * (first + place.draw.below(max(1, int(last) - first + 1)))


def _number(schema: Schema, place: _Place) -> float:
    low = schema.get("exclusiveMinimum", schema.get("minimum"))
    high = schema.get("exclusiveMaximum", schema.get("maximum"))
    if step := schema.get("multipleOf"):
        whole = {key: value / step for key, value in schema.items() if key.endswith("imum")}
        return cast(float, round(_integer(whole, place) * step, 10))
    if low is None:
        low = 0.0 if high is None or high > 0 else high - max(1.0, abs(high))
    if high is None:
        high = low + max(1.0, abs(low))
    low, high = max(low, -sys.float_info.max), min(high, sys.float_info.max)
    part = 0.01 + 0.98 * place.draw.fraction()
    value = cast(float, low * (1 - part) + high * part)
    short = round(value, 2)
    return short if low < short < high else value


def _text(schema: Schema, place: _Place) -> str:
    draw = place.draw
    if (made := formatted(schema, place.name, draw)) is not None:
        return made
    if "contentSchema" in schema:
        return json.dumps(_value(schema["contentSchema"], place.below("content")))
    if "pattern" in schema and (matching := text_matching(str(schema["pattern"]), draw)):
        return matching
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    text = plain_text(place.name, draw)
    if most is not None and len(text) > most:
        text = draw.word(int(most))
    return text + draw.word(least - len(text)) if len(text) < least else text


# Schemas of any other type, or of none, become strings.
_MAKERS: dict[str, Callable[[Schema, _Place], Any]] = {
    "null": lambda _, __: None,
    "boolean": lambda _, place: bool(place.draw.below(2)),
    "integer": _integer,
    "number": _number,
    "array": _array,
    "object": _object,
}
