"""A profile as a Python program that configures DSPy; secrets come from the environment."""

import json
import keyword
import math
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Any

from dspy_profiles import schema
from dspy_profiles._control import escaped
from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.display import on_one_line
from dspy_profiles.errors import InvalidProfile, Place
from dspy_profiles.profiles import CLIENT_KEYS, ResolvedProfile, references
from dspy_profiles.secrets import (
    BUILT_IN_SCHEMES,
    TEMPLATE,
    Reference,
    secret_file,
    split_scheme,
    variables_in,
)

__all__ = ["program"]

READERS = {"number": "float", "integer": "int"}
TRUE = '.strip().lower() in ("true", "1", "yes")'


def program(profile: ResolvedProfile) -> str:
    """Return a program that configures DSPy as the profile does."""
    return "\n".join(_Program(profile).lines()) + "\n"


class _Program:
    def __init__(self, profile: ResolvedProfile) -> None:
        self.profile = profile
        self.described = schema.descriptor()
        self.imports: set[str] = set()
        self.is_mock = profile.provider.get("class") == "mock"

    def lines(self) -> Iterator[str]:
        body = [line for block in self._blocks() for line in ("", *block)]
        env = [self._variable(name, value) for name, value in self.profile.env.items()]
        plain = {"import os"} if env or any("os.environ" in line for line in body) else set()
        standard = sorted(plain | {i for i in self.imports if i in STANDARD})
        late = "  # noqa: E402 - the variables above are read on import" if env else ""
        yield from self._head()
        yield from standard
        if env:
            yield from ("", *env)
        if standard or env:
            yield ""
        others = sorted(self.imports - STANDARD, key=lambda line: line.split()[1])
        yield from (f"{line}{late}" for line in ("import dspy", *others))
        yield from body

    def _head(self) -> Iterator[str]:
        yield f"# The profile {_text(self.profile.name)}, exported by dspy-profiles."
        if self.profile.description:
            # No line break, which would end the comment, and no NUL, which Python refuses.
            yield f"# {on_one_line(self.profile.description)}"
        needed = [name for _, text in references(self.profile) for name in variables_in(text)]
        if needed:
            yield f"# Needs these variables: {', '.join(dict.fromkeys(needed))}"

    def _blocks(self) -> Iterator[list[str]]:
        sections = []
        if self.profile.provider:
            yield self._provider()
        if self.profile.lm or self.is_mock:
            yield self._call("lm = ", "dspy.LM", ("lm",), self._lm_arguments(("lm",)))
            sections.append("lm")
        if self.profile.lms:
            yield list(self._roles())
        if "rm" in self.profile.values:
            yield self._of_class("rm", "dspy.ColBERTv2")
            sections.append("rm")
        if self.profile.adapter:
            yield self._of_class("adapter", None)
            sections.append("adapter")
        if self.profile.embedder:
            arguments = dict(self.profile.embedder)
            yield self._call("embedder = ", "dspy.Embedder", ("embedder",), arguments)
        settings = [(name, self._setting(name)) for name in self.profile.settings]
        if sections or settings:
            yield _call("dspy.configure", [*((name, name) for name in sections), *settings])

    def _provider(self) -> list[str]:
        if not self.is_mock:
            raise self._refusal(("provider", "class"), "needs dspy-profiles to be activated")
        self.imports.add("from dspy_profiles.objects.engines.mock import MockEngine")
        arguments = {k: v for k, v in self.profile.provider.items() if k != "class"}
        return self._call("engine = ", "MockEngine", ("provider",), arguments)

    def _lm_arguments(self, path: KeyPath) -> dict[str, Any]:
        table = self.profile.lm if path == ("lm",) else self.profile.lms[path[1]]
        if not self.is_mock:
            return dict(table)
        self.imports.add("from dspy_profiles.objects.engines._async import AsyncSide")
        role = f"/{path[1]}" if len(path) > 1 else ""
        return {
            "model": f"mock{role}",
            "num_retries": 0,
            **{key: value for key, value in table.items() if key not in CLIENT_KEYS},
            "engine": _Code("engine"),
            "async_engine": _Code("AsyncSide(engine)"),
            "cache": False,
        }

    def _roles(self) -> Iterator[str]:
        yield "lms = {"
        for role in self.profile.lms:
            arguments = self._lm_arguments(("lms", role))
            call = self._call(f"{_text(role)}: ", "dspy.LM", ("lms", role), arguments)
            yield from (f"    {line}" for line in (*call[:-1], f"{call[-1]},"))
        yield "}"

    def _of_class(self, section: str, default: str | None) -> list[str]:
        arguments = dict(self.profile.values[section])
        path = arguments.pop("class", default)
        if path is None:
            raise self._refusal((section,), "has no class")
        if path == "dspy.TwoStepAdapter" and "extraction_model" not in arguments:
            arguments["extraction_model"] = _Code("lm")
        known = self.described["names"].get(str(path).replace(":", "."), path)
        kinds = _kinds(self.described["classes"].get(known))
        for name, value in arguments.items():
            if name in kinds and schema.names_role(kinds[name]) and value in self.profile.lms:
                arguments[name] = _Code(f"lms[{_text(value)}]")
        name = self._imported((section, "class"), path)
        return self._call(f"{section} = ", name, (section,), arguments, kinds)

    def _call(
        self,
        start: str,
        name: str,
        path: KeyPath,
        arguments: Mapping[str, Any],
        kinds: Mapping[str, Any] | None = None,
    ) -> list[str]:
        kinds = self._kinds_of(path[0]) if kinds is None else kinds
        written = [
            (key, self._value((*path, key), value, kinds.get(key)))
            for key, value in arguments.items()
        ]
        first, *rest = _call(name, written)
        return [start + first, *rest]

    def _kinds_of(self, section: str) -> Mapping[str, Any]:
        if section == "provider":
            return {}
        passed_on = schema.PASSED_ON["embedder" if section == "embedder" else "lm"]
        owner = self.described["embedder" if section == "embedder" else "lm"]
        return {**passed_on, **_kinds(self.described["classes"].get(owner))}

    def _setting(self, name: str) -> str:
        value = self.profile.settings[name]
        if name == "interpreter_factory" and isinstance(value, str):
            return self._imported(("settings", name), value)
        kind = self.described["settings"].get(name, {}).get("type")
        return self._value(("settings", name), value, kind)

    def _value(self, path: KeyPath, value: Any, kind: Mapping[str, Any] | None = None) -> str:
        if path[-1] == "callbacks" and path[0] in ("lm", "lms", "adapter", "settings"):
            items = value if isinstance(value, list) else [value]
            return f"[{', '.join(self._callback(path, str(item)) for item in items)}]"
        if isinstance(value, _Code):
            return value
        if isinstance(value, Reference):
            return _read(self._reference(path, value), kind)
        if isinstance(value, Mapping):
            inner = (f"{_text(k)}: {self._value((*path, k), v)}" for k, v in value.items())
            return f"{{{', '.join(inner)}}}"
        if isinstance(value, list):
            return f"[{', '.join(self._value(path, item) for item in value)}]"
        if isinstance(value, str):
            return _text(value.replace("$${", "${"))
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        if isinstance(value, date | time):
            self.imports.add("import datetime")
        return repr(value)

    def _callback(self, path: KeyPath, text: str) -> str:
        description = schema.describe_class(text)
        name = self._imported(path, text)
        return f"{name}()" if description["found"] and description["kind"] == "class" else name

    def _imported(self, path: KeyPath, text: object) -> str:
        parts = str(text).replace(":", ".").split(".")
        if len(parts) < 2 or not all(p.isidentifier() and not keyword.iskeyword(p) for p in parts):  # noqa: PLR2004
            raise self._refusal(path, "is not an import path")
        if parts[0] != "dspy":
            module = str(text).partition(":")[0] if ":" in str(text) else ".".join(parts[:-1])
            self.imports.add(f"import {module}")
        return ".".join(parts)

    def _variable(self, name: str, value: Any) -> str:
        return f"os.environ.setdefault({_text(name)}, {self._value(('env', name), value)})"

    def _reference(self, path: KeyPath, text: str) -> str:
        """Return an expression for the value of a reference."""
        by_scheme = split_scheme(text, BUILT_IN_SCHEMES)
        if by_scheme is None:
            if "${" not in text:
                raise self._refusal(path, "is resolved by a plugin of dspy-profiles")
            return _template(text)
        scheme, rest = by_scheme
        if scheme == "env":
            return f"os.environ[{_text(rest)}]"
        if scheme == "keyring":
            self.imports.add("import keyring")
            service, _, user = rest.partition("/")
            return f"keyring.get_password({_text(service)}, {_text(user)})"
        self.imports.add("from pathlib import Path")
        place = self.profile.place(*path)
        folder = place.file.parent if isinstance(place, Place) else None
        file = str(secret_file(rest, folder))
        return f'Path({_text(file)}).read_text(encoding="utf-8-sig").rstrip("\\r\\n")'

    def _refusal(self, path: KeyPath, reason: str) -> InvalidProfile:
        return InvalidProfile(
            f'{join_key(path)} of "{self.profile.name}" cannot be exported as Python: it {reason}',
            "use --format toml, or run the program: dspy-profiles run",
            self.profile.place(*path),
        )


class _Code(str):
    """A Python expression, written without quotes."""

    __slots__ = ()


STANDARD = {"from pathlib import Path", "import datetime"}


def _text(text: object) -> str:
    # A JSON string is a Python one.
    return escaped(json.dumps(str(text), ensure_ascii=False))


def _template(text: str) -> str:
    parts = []
    end = 0
    for match in TEMPLATE.finditer(text):
        parts.append(_text(text[end : match.start()]) if match.start() > end else "")
        if match[1] is None:
            parts.append(_text("${"))
        elif match[2]:
            parts.append(f"os.environ.get({_text(match[1])}) or {_text(match[3])}")
        else:
            parts.append(f"os.environ[{_text(match[1])}]")
        end = match.end()
    parts.append(_text(text[end:]) if end < len(text) else "")
    pieces = [part for part in parts if part]
    return pieces[0] if len(pieces) == 1 else " + ".join(map(_in_brackets, pieces))


def _read(expression: str, kind: Mapping[str, Any] | None) -> str:
    """Return an expression that converts a string to the number or boolean of this type."""
    kinds = {each["kind"] for each in (kind.get("of") or [kind])} if kind else {"any"}
    if kinds & {"any", "string", "literal", "object"}:
        return expression
    for name, reader in READERS.items():
        if name in kinds:
            return f"{reader}({expression})"
    return _in_brackets(expression) + TRUE if "boolean" in kinds else expression


def _in_brackets(expression: str) -> str:
    """Return the expression as an operand: only a fallback needs brackets."""
    return f"({expression})" if expression.startswith("os.environ.get(") else expression


def _kinds(described: Mapping[str, Any] | None) -> dict[str, Any]:
    return {each["name"]: each["type"] for each in (described or {}).get("parameters", ())}


def _call(name: str, arguments: list[tuple[str, str]]) -> list[str]:
    """Return the lines of a call; several arguments get a line each."""
    plain = [f"{k}={v}" for k, v in arguments if _is_name(k)]
    odd = [f"{_text(k)}: {v}" for k, v in arguments if not _is_name(k)]
    words = [*plain, *([f"**{{{', '.join(odd)}}}"] if odd else [])]
    if len(words) < 2:  # noqa: PLR2004
        return [f"{name}({''.join(words)})"]
    return [f"{name}(", *(f"    {word}," for word in words), ")"]


def _is_name(key: str) -> bool:
    # Python reads some letters beyond ASCII as others: ª as a.
    return key.isascii() and key.isidentifier() and not keyword.iskeyword(key)
