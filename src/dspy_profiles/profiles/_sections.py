"""The sections of a profile: one table for the resolver, the docs and the schema."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from dspy_profiles.errors import InvalidProfile, Place, did_you_mean

__all__ = ["CLIENT_KEYS", "SECTIONS", "Section", "SectionShape", "check_shape"]


class SectionShape(Enum):
    """The shape of a section; the value describes it in words."""

    TEXT = "a string"
    NAMES = "a profile's name or a list of names"
    TABLE = "a table"
    TABLES = "a table of tables"
    STRINGS = "a table of strings"


@dataclass(frozen=True)
class Section:
    name: str
    shape: SectionShape
    help: str


SECTIONS = {
    section.name: section
    for section in (
        Section("extends", SectionShape.NAMES, "Profiles to start from, left to right."),
        Section("description", SectionShape.TEXT, "One line of text."),
        Section("lm", SectionShape.TABLE, "Arguments of `dspy.LM`, passed unchanged."),
        Section("rm", SectionShape.TABLE, "Arguments of `dspy.ColBERTv2`, or of `class`."),
        Section("adapter", SectionShape.TABLE, "The adapter's `class`, and its arguments."),
        Section(
            "provider",
            SectionShape.TABLE,
            "The provider of the LM: `class` is a short name or an import path; the other keys are "
            "its arguments.",
        ),
        Section("settings", SectionShape.TABLE, "Keys of `dspy.settings`."),
        Section("lms", SectionShape.TABLES, 'Further LMs by role: `lm("prod", role="teacher")`.'),
        Section(
            "embedder", SectionShape.TABLE, 'Arguments of `dspy.Embedder`: `embedder("prod")`.'
        ),
        Section(
            "env",
            SectionShape.STRINGS,
            "Environment variables, set once per process where unset, never removed.",
        ),
    )
}


def check_shape(
    profile: str, name: str, value: object, where: Callable[[str], Place | str | None]
) -> None:
    """Raise InvalidProfile if a section is unknown or has the wrong shape.

    `where` returns the place of a section; it parses the file, so only errors call it.
    """
    section = SECTIONS.get(name)
    fits = section is not None and _fits(section.shape, value)
    unusable = _unusable_variable(value) if fits and name == "env" else None
    del value  # an error's frames may be printed, and this can hold a plaintext secret
    if section is None:
        raise InvalidProfile(
            f'profile "{profile}": unknown section "{name}"',
            hint=did_you_mean(name, SECTIONS) or f"sections: {', '.join(SECTIONS)}",
            where=where(name),
        )
    if not fits:
        raise InvalidProfile(
            f'profile "{profile}": {name} must be {section.shape.value}', where=where(name)
        )
    if unusable is not None:
        raise InvalidProfile(
            f'profile "{profile}": env has an invalid variable {unusable!r}',
            hint="names must not be empty or contain =, values must not contain a NUL character",
            where=where(name),
        )


def _unusable_variable(env: object) -> object:
    """Return the first name that is not valid in an environment, or whose value is not."""
    table: Mapping[object, str] = env if isinstance(env, Mapping) else {}
    return next((name for name, value in table.items() if not _is_usable(name, value)), None)


def _is_usable(name: object, value: str) -> bool:
    return isinstance(name, str) and name != "" and "=" not in name and "\0" not in name + value


def _fits(shape: SectionShape, value: object) -> bool:
    match shape:
        case SectionShape.TEXT:
            return isinstance(value, str)
        case SectionShape.NAMES:
            items = value if isinstance(value, list | tuple) else [value]
            return all(isinstance(item, str) for item in items)
        case SectionShape.TABLE:
            return isinstance(value, Mapping)
        case SectionShape.TABLES:
            return isinstance(value, Mapping) and all(
                isinstance(table, Mapping) for table in value.values()
            )
        case SectionShape.STRINGS:
            return isinstance(value, Mapping) and all(
                isinstance(text, str) for text in value.values()
            )


# Arguments of an LM that configure its connection, as of DSPy 3.4. Engines have their own.
CLIENT_KEYS = frozenset(
    {
        "api_base",
        "api_key",
        "api_version",
        "azure_ad_token_provider",
        "base_url",
        "custom_llm_provider",
        "extra_headers",
        "extra_query",
        "headers",
        "organization",
        "project",
        "timeout",
    }
)
