"""A profile as the variables of a `.env` file, and back: `DSPY_LM_MODEL` is `lm.model`."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dspy_profiles import schema
from dspy_profiles.cli.secrets._plaintext import holds_plaintext
from dspy_profiles.config import KeyPath, read_unparsed
from dspy_profiles.errors import InvalidFile, InvalidProfile, PlaintextSecret
from dspy_profiles.profiles import SECTIONS, parse_value
from dspy_profiles.schema import check_value, known_keys
from dspy_profiles.secrets import (
    VARIABLE,
    Names,
    has_password,
    literal_passwords,
    parse_dotenv,
    warn_about_lines,
)

__all__ = ["assigned", "raw_values", "read_variables", "variables"]

PLAIN_KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
UNQUOTED = re.compile(r"[\w./:@%+,=-]+|\$\{\w+\}", re.ASCII)


def variables(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """Yield a line per key; keys that no variable name can spell go into one JSON value."""
    for section, table in values.items():
        name = f"{prefix}{section.upper()}"
        if not isinstance(table, Mapping):
            yield assigned(name, _as_text(table, plain=True))
            continue
        rest = {}
        for key, value in table.items():
            if _is_spelled((section, key)):
                text = _as_text(value, plain=section == "env")
                yield _line(f"{name}_{_spelled(section, key)}", text)
            else:
                rest[key] = value
        if rest or not table:
            yield assigned(name, _as_text(rest, plain=False))


def read_variables(
    table: Mapping[str, str], prefix: str, names: Names
) -> tuple[dict[KeyPath, Any], list[str]]:
    """Return the values that variables set, and the variables that belong to no section.

    A secret is not copied: the value is a reference to its variable.
    """
    values: dict[KeyPath, Any] = {}
    ignored = []
    for name in sorted(table, key=lambda name: (name.count("_"), name)):  # whole sections first
        if not name.startswith(prefix) or name == prefix:
            continue
        key = _key_of(name.removeprefix(prefix))
        if key is None:
            ignored.append(name)
        else:
            values[key] = _value(key, name, table[name], names)
    return values, ignored


def raw_values(path: Path) -> dict[str, str]:
    """Return the variables of a .env file; references in it are not replaced."""
    values, broken = parse_dotenv(read_unparsed(path).text, interpolate=False)
    warn_about_lines(path, broken)
    return values


def assigned(name: str, text: str) -> str:
    """Return the line of a `.env` file that sets a variable to exactly this text."""
    if UNQUOTED.fullmatch(text):
        return f"{name}={text}"
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    line = f"{name}='{quoted}'"
    read, _ = parse_dotenv(line, interpolate=False)
    if read != {name: text} or "\0" in text:  # a NUL would make it a binary file
        raise InvalidFile(f"a .env file cannot hold the value of {name}", "use --format toml")
    return line


def _line(name: str, text: str) -> str:
    if text in (f"${{{name}}}", f"env:{name}"):
        return f"# {name} is set in the environment"  # it cannot refer to itself
    return assigned(name, text)


def _as_text(value: object, *, plain: bool) -> str:
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False, default=str)
    # A string that would be read as a number needs quotes.
    return str(value) if plain or _is_text(value) else json.dumps(value, ensure_ascii=False)


def _is_text(text: str) -> bool:
    if text.lower() in BOOLEANS:
        return False
    try:
        return bool(parse_value(text) == text)
    except InvalidProfile:
        return False


BOOLEANS = {"true": True, "false": False}


def _spelled(section: str, key: str) -> str:
    return key if section == "env" else key.upper()


def _is_spelled(key: KeyPath) -> bool:
    """Return whether a variable name can spell this key."""
    section, name = key
    if section == "lms":
        return False
    if section == "env":
        return VARIABLE.fullmatch(name) is not None
    return PLAIN_KEY.fullmatch(name) is not None


def _key_of(rest: str) -> KeyPath | None:
    """Return the key of `LM_MODEL` or `LMS_TEACHER_MODEL`; None if its section is unknown."""
    first, _, last = rest.partition("_")
    section = first.lower()
    if section not in SECTIONS or (rest.endswith("_") and section != "env"):
        return None
    if not last:
        return (section,)
    if section in ("extends", "description"):
        return None
    if section == "env":
        return (section, last)
    key = last.lower()
    if section != "lms":
        return (section, key)
    known = [each for each in known_keys("lms") if key.endswith(f"_{each}")]
    inner = max(known, key=len, default=key.partition("_")[2])
    role = key.removesuffix(f"_{inner}") if inner else key
    return (section, role, inner) if inner else (section, role)


def _value(key: KeyPath, name: str, text: str, names: Names) -> Any:
    if len(key) > 1 and (_is_secret(key, names, text) or has_password(text)):
        return f"${{{name}}}" if holds_plaintext(text) else text
    if key == ("description",) or (key[0] == "env" and len(key) > 1):
        return text
    try:
        value = BOOLEANS.get(text.lower(), parse_value(text))
    except InvalidProfile as error:
        raise InvalidProfile(f"{name}: {error.message}", "remove the variable") from None
    if len(key) == 1 and key[0] != "extends" and not isinstance(value, Mapping):
        raise InvalidProfile(
            f"{name} must be a JSON table", f"or set one key, as in {name}_MODEL", where=None
        )
    if _holds_secret(key, value, names):
        raise PlaintextSecret(
            f"{name} is a table with a plaintext secret",
            "put the secret in its own variable, and ${VARIABLE} in the table",
        )
    kind = _kind(key)
    wants_text = kind is not None and check_value(kind, value) and not check_value(kind, text)
    return text if wants_text else value


def _is_secret(key: KeyPath, names: Names, value: str) -> bool:
    own = key[2:] if key[0] == "lms" else key[1:]
    return any(names.is_secret(name, value) for name in own)


def _holds_secret(key: KeyPath, value: object, names: Names) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_secret((*key, str(k)), item, names) for k, item in value.items())
    if isinstance(value, list):
        return any(_holds_secret(key, item, names) for item in value)
    if isinstance(value, float | bool):
        return False
    if isinstance(value, str) and any(literal_passwords(value)):
        return True
    return _is_secret(key, names, str(value)) and holds_plaintext(str(value))


def _kind(key: KeyPath) -> Mapping[str, Any] | None:
    """Return the type of a key in the installed DSPy, if known."""
    descriptor = schema.descriptor()
    if key[0] == "settings":
        setting = descriptor["settings"].get(key[-1])
        return None if setting is None else setting["type"]
    owners = {"lm": "lm", "lms": "lm", "embedder": "embedder"}
    owner = descriptor[owners[key[0]]] if key[0] in owners else None
    if owner is None or len(key) < (3 if key[0] == "lms" else 2):
        return None
    described = descriptor["classes"].get(owner, {"parameters": ()})
    parameters = {each["name"]: each["type"] for each in described["parameters"]}
    passed_on = schema.PASSED_ON["embedder" if key[0] == "embedder" else "lm"]
    kind: Mapping[str, Any] | None = parameters.get(key[-1]) or passed_on.get(key[-1])
    return kind
