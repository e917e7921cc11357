"""Values for JSON schemas that others wrote: tools' arguments, response formats."""

from typing import Any

import jsonschema
import pytest

from dspy_profiles.objects.engines.mock._json_values import Fill, json_for

SCHEMAS = [
    {},
    {"type": "string", "minLength": 40},
    {"type": ["null", "integer"], "minimum": 3},
    {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    {"type": "number", "multipleOf": 0.5, "minimum": 5},
    {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "maxItems": 2},
    {"type": "array", "minItems": 4, "items": {"enum": ["a", "b"]}},
    {"type": "object", "properties": {"a": {"const": 3}}, "required": ["a"]},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3},
    {"properties": {"a": {"$ref": "#/definitions/A"}}, "definitions": {"A": {"type": "integer"}}},
    {
        "allOf": [
            {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"$ref": "#/$defs/B"},
        ],
        "$defs": {"B": {"properties": {"b": {"type": "string"}}, "required": ["b"]}},
    },
    {"oneOf": [{"type": "null"}, {"type": "array", "items": {"type": "integer"}}]},
    {
        "$ref": "#/$defs/Node",
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
                    "all": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["next", "all"],
            }
        },
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
@pytest.mark.parametrize("fill", Fill)
def test_the_value_is_what_the_schema_allows(schema: Any, fill: Any) -> None:
    for seed in ("one", "two", "three"):
        jsonschema.validate(json_for(schema, seed_text=seed, name="x", fill=fill), schema)


def test_what_is_not_required_is_left_out_when_only_the_needed_is_made() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
        "required": ["a"],
    }
    assert list(json_for(schema, seed_text="x", name="x", fill=Fill.NEEDED)) == ["a"]
    assert list(json_for(schema, seed_text="x", name="x")) == ["a", "b"]


def test_a_pattern_beyond_us_gives_a_plain_text() -> None:
    schema = {"type": "string", "pattern": "(?=a)b(?<!c)"}
    assert json_for(schema, seed_text="x", name="x").startswith("mock x")
