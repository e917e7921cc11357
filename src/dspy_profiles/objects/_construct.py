"""Call a class with a profile's arguments: unwrap secrets, convert numbers, place errors."""

import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Union

from dspy_profiles.config import KeyPath, join_key
from dspy_profiles.errors import InvalidProfile, ProfileError, ProviderError, did_you_mean
from dspy_profiles.profiles import Fetched, ResolvedProfile
from dspy_profiles.schema import PASSED_ON
from dspy_profiles.secrets import Secret, redacted_error

__all__ = ["BOOLEANS", "as_number", "construct", "plain"]

PYTHON_TYPES = {"integer": int, "number": float, "boolean": bool}

Convert = Callable[[str, object, object], object]


def construct(
    cls: Callable[..., Any],
    arguments: Mapping[str, Any],
    profile: ResolvedProfile,
    key: KeyPath,
    convert: Convert | None = None,
) -> Any:
    """Return `cls(**arguments)`; `key` is the section of the arguments.

    `convert(name, value, type)` can replace a value, such as a role's name by its LM.
    """
    parameters, hints = _parameters(cls)
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    ready = {}
    for name, value in arguments.items():
        if name not in parameters and not open_ended:
            raise InvalidProfile(
                f'profile "{profile.name}": {join_key((*key, name))}: {_name(cls)} has no '
                f'parameter "{name}"',
                hint=did_you_mean(name, parameters)
                or f"parameters: {', '.join(parameters) or 'none'}",
                where=profile.place(*key, name),
            )
        kind = hints[name] if name in hints else _passed_on(key[0], name)
        ready[name] = _ready(value, kind, profile, (*key, name))
        if convert is not None:
            ready[name] = convert(name, ready[name], kind)
    try:
        return cls(**_Revealed(ready))
    except ProfileError as error:
        error.where = error.where or profile.place(*key)
        raise
    except Exception as error:  # noqa: BLE001 - a constructor can raise anything
        message, cause = redacted_error(error)
        kind = ProviderError if key == ("provider",) else InvalidProfile
        raise kind(
            f'profile "{profile.name}": {join_key(key)} cannot create {_name(cls)}: {message}',
            where=profile.place(*key),
        ) from cause


class _Revealed(Mapping[str, Any]):
    """Arguments that are unwrapped during the call, so that no frame of ours holds a secret."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = arguments

    def __getitem__(self, name: str) -> Any:
        return plain(self._arguments[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arguments)

    def __len__(self) -> int:
        return len(self._arguments)


def plain(value: Any) -> Any:
    """Return a value for DSPy, with secrets as plain strings."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return str(value) if isinstance(value, Fetched) else value


def _ready(value: Any, kind: object, profile: ResolvedProfile, key: KeyPath) -> Any:
    if isinstance(value, Fetched):
        return as_number(value, kind, profile, key)
    kinds = _members(kind)
    if isinstance(value, Secret) and str not in kinds and kinds & {int, float, bool}:
        return as_number(Fetched(value.reveal()), kind, profile, key)  # a number is not a secret
    return value


def as_number(value: Fetched, kind: object, profile: ResolvedProfile, key: KeyPath) -> Any:
    """Convert the value of a reference to the number or boolean that the parameter needs."""
    kinds = _members(kind)
    if str in kinds or not kinds & {int, float, bool}:
        return str(value)
    text = value.strip()
    if bool in kinds and text.lower() in BOOLEANS:
        return BOOLEANS[text.lower()]
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                continue
    needed = "a boolean" if kinds & {int, float, bool} == {bool} else "a number"
    raise InvalidProfile(
        f'profile "{profile.name}": {join_key(key)} must be {needed}, but its reference is not',
        where=profile.place(*key),
    )


BOOLEANS = {"true": True, "false": False, "1": True, "0": False, "yes": True, "no": False}


def _members(kind: object) -> set[object]:
    if typing.get_origin(kind) in (Union, types.UnionType):
        return set().union(*(_members(member) for member in typing.get_args(kind)))
    if typing.get_origin(kind) is typing.Literal:
        return {type(member) for member in typing.get_args(kind)}
    return {kind}


def _parameters(
    cls: Callable[..., Any],
) -> tuple[Mapping[str, inspect.Parameter], Mapping[str, object]]:
    try:
        parameters = dict(inspect.signature(cls).parameters)
    except (TypeError, ValueError):  # written in C: it checks its arguments itself
        anything = inspect.Parameter("anything", inspect.Parameter.VAR_KEYWORD)
        return {"anything": anything}, {}
    try:
        hints = typing.get_type_hints(inspect.getattr_static(cls, "__init__", cls))
    except Exception:  # noqa: BLE001 - an annotation can name something missing
        hints = {name: p.annotation for name, p in parameters.items()}
    return parameters, hints


def _passed_on(section: str, name: str) -> object:
    """Return the type of an argument that the class forwards, if known."""
    known = PASSED_ON.get("lm" if section == "lms" else section, {}).get(name, {})
    return PYTHON_TYPES.get(known.get("kind", ""), object)


def _name(cls: Callable[..., Any]) -> str:
    module = getattr(cls, "__module__", "")
    name = getattr(cls, "__qualname__", repr(cls))
    return f"dspy.{name}" if module.startswith("dspy.") else f"{module}.{name}"
