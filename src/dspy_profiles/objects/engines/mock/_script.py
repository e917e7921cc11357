"""What the mock was told to say: scripted answers, checked when they are given."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from dspy_profiles.errors import InvalidProfile

__all__ = ["Script", "Scripted"]

_SHAPES = (
    'a table of fields, answers = {answer = "Paris"}, or a list of such tables; '
    'in a list, when = "text" makes one answer every call whose input holds that text, '
    "and a plain string is the whole completion"
)


@dataclass(frozen=True, slots=True)
class Scripted:
    """One scripted answer: values of fields, or the whole completion as it is."""

    fields: Mapping[str, Any]
    text: str | None = None
    when: str | None = None

    @classmethod
    def checked(cls, text: Any, when: Any, fields: Mapping[str, Any]) -> "Scripted":
        """Return an answer. Raise InvalidProfile if it is not valid."""
        if when is not None and not isinstance(when, str):
            raise InvalidProfile(
                f"`when` of a mock's answer must be a string, not {when!r}",
                hint='when = "capital of France"',
            )
        if text is not None and not isinstance(text, str):
            raise InvalidProfile(
                f"a mock's answer must be a string or fields, not {text!r}",
                hint=f'write "{text}", or name its field: answer = {text!r}',
            )
        if (text is None) == (not fields):
            raise InvalidProfile(
                "a mock's answer needs either fields or a text",
                hint='write fields, answer = "Paris", or one string, the whole completion',
            )
        return cls(dict(fields), text, when)

    def suits(self, wanted: Iterable[str] | None, said: str) -> bool:
        """Return whether this answers a call with these fields; None: a call without fields."""
        if self.when is not None and self.when not in said:
            return False
        return self.text is not None or wanted is None or not self.fields.keys().isdisjoint(wanted)


class Script:
    """Scripted answers in order of precedence. Not thread-safe: the engine locks it.

    First answers with a condition, the newest first, for every matching call; then those without,
    in order, each for the first call with one of its fields. The table of fields for every call
    fills in the rest.
    """

    def __init__(self, answers: Any = None) -> None:
        self.always: dict[str, Any] = {}
        self._conditional: list[Scripted] = []
        self._next: list[Scripted] = []
        if isinstance(answers, Mapping) and "when" not in answers:
            self.always = _table(answers)
        elif isinstance(answers, list | tuple | Mapping):
            for answer in [answers] if isinstance(answers, Mapping) else answers:
                one = _scripted(answer)
                (self._next if one.when is None else self._conditional).append(one)
        elif answers is not None:
            raise _invalid(answers)

    def add(self, one: Scripted) -> None:
        if one.when is None:
            self._next.append(one)
        else:
            self._conditional.insert(0, one)

    def take(self, wanted: Iterable[str] | None, said: str) -> Scripted | None:
        """Return the scripted answer to a call, or None; an answer without condition is removed."""
        for one in self._conditional:
            if one.suits(wanted, said):
                return one
        for place, one in enumerate(self._next):
            if one.suits(wanted, said):
                return self._next.pop(place)
        return None


def _scripted(answer: Any) -> Scripted:
    if isinstance(answer, str):
        return Scripted.checked(answer, None, {})
    fields = _table(answer)
    return Scripted.checked(None, fields.pop("when", None), fields)


def _table(answer: Any) -> dict[str, Any]:
    if isinstance(answer, Mapping) and all(isinstance(name, str) for name in answer):
        return dict(answer)
    raise _invalid(answer)


def _invalid(answer: Any) -> InvalidProfile:
    return InvalidProfile(f"invalid answer of the mock: {answer!r}", hint=f"write {_SHAPES}")
