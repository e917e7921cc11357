"""The reports of `validate` and `doctor`, as text and as JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.text import Text

from dspy_profiles.cli._output import MUTED
from dspy_profiles.config import join_key
from dspy_profiles.display import show_place
from dspy_profiles.errors import Place
from dspy_profiles.secrets import redact

if TYPE_CHECKING:
    from dspy_profiles.cli.doctor._addresses import Route
    from dspy_profiles.cli.doctor._problem import Problem
    from dspy_profiles.cli.doctor._verdicts import Answer
    from dspy_profiles.cli.doctor._walk import Check, Examined
    from dspy_profiles.profiles import Definition

__all__ = ["Diagnosis", "lines", "problem_json", "problem_lines", "route_lines"]


@dataclass(frozen=True)
class Diagnosis:
    """The result of `doctor` for one profile: its checks, and the answer of its model."""

    one: "Examined"
    live: bool
    route: "Route | None" = None
    answer: "Answer | None" = None

    @property
    def counts(self) -> bool:
        return not self.one.children

    @property
    def is_ready(self) -> bool:
        answered = self.answer is None or self.answer.kind == "answered"
        return self.counts and self.one.is_valid and answered

    def head(self) -> tuple[Text, str]:
        """Return the line of the profile, and its last column: a hint or a time."""
        one, answer, error = self.one, self.answer, self._first_error
        parts = [Text(_passed(check, one)) for check in one.checks if check.status in _PASSED]
        tail = ""
        if one.children:
            parts.append(Text(f"no model: extended by {', '.join(one.children)}"))
        elif error is not None:
            parts.append(_shown(error))
            tail = _hint(error.hint)
        elif answer is not None:
            good = answer.kind == "answered"
            parts.append(Text(redact(answer.message), style="" if good else "red"))
            tail = f"{answer.ms} ms" if good else _hint(answer.hint)
        elif self.live:
            parts.append(Text("no model to call"))
        return Text(" · ", style=MUTED).join(part for part in parts if part.plain), redact(tail)

    def below(self) -> Iterator[Text]:
        """Yield the lines below it: the server's message, and further problems."""
        detail = None if self.answer is None else self.answer.detail
        if self.answer is not None and detail and self.answer.kind not in _WITHOUT_DETAIL:
            yield Text(f"server: {redact(detail)}", style=MUTED)
        for problem in sorted(
            self.one.problems, key=lambda problem: problem.severity
        ):  # errors first
            if problem is not self._first_error:
                yield _shown(problem)
                if problem.hint:
                    yield Text(f"  {_hint(redact(problem.hint))}", style=MUTED)

    @property
    def _first_error(self) -> "Problem | None":
        return next((problem for problem in self.one.problems if problem.severity == "error"), None)

    def as_json(self) -> dict[str, Any]:
        """Return the result as JSON shows it."""
        one = self.one
        return {
            "name": one.name,
            "ready": self.is_ready,
            "extended_by": list(one.children),
            **_placed(one.definition),
            "shadows": [_placed(below) for below in one.shadows],
            "checks": [
                {
                    "name": check.name,
                    "status": check.status,
                    "findings": [problem_json(problem) for problem in check.problems],
                }
                for check in one.checks
            ],
            "live": self._live(),
        }

    def _live(self) -> dict[str, Any] | None:
        answer, route = self.answer, self.route
        if answer is None or route is None:
            return None
        return {
            "result": answer.kind,
            "host": route.host,
            "set_by": None if route.set_by is None else str(route.set_by),
            "ms": answer.ms,
            "message": answer.message,
            "hint": answer.hint,
            "status": answer.status,
            "retry_after": answer.retry_after,
            "detail": answer.detail,
        }


def problem_lines(problem: "Problem") -> Iterator[Text]:
    """Yield the lines of a problem in the format of compilers, which editors understand."""
    is_error = problem.severity == "error"
    where = "" if problem.where is None else f"{show_place(problem.where)}: "
    # Most messages name the profile.
    named = problem.profile is None or f'"{problem.profile}"' in problem.message
    whose = "" if named else f"{problem.profile}: "
    first, *rest = redact(problem.message).splitlines() or [""]
    label = (f"{problem.severity}: ", "bold red" if is_error else "bold yellow")
    yield Text.assemble((where, MUTED), label, whose, first)
    yield from (Text(line) for line in rest)
    if problem.hint:
        yield Text(f"  {_hint(redact(problem.hint))}")


_PASSED = ("ok", "warning")
_WITHOUT_DETAIL = ("no-key", "no-model")
_WIDEST = 80  # characters; a wider line does not align the last column of the others


def _hint(text: str | None) -> str:
    return f"hint: {text}" if text else ""


def _shown(problem: "Problem") -> Text:
    where = "" if problem.where is None else f"   {show_place(problem.where)}"
    style = "red" if problem.severity == "error" else "yellow"
    label = "" if problem.severity == "error" else "warning: "
    message = " ".join(redact(problem.message).split())
    return Text.assemble((f"{label}{message}", style), (where, MUTED))


def _passed(check: "Check", one: "Examined") -> str:
    """Return a step that passed in one or two words; "" for minor steps."""
    if check.name == "file" and one.shadows:
        below = one.shadows[0].place()
        return f"file ok, shadows {show_place(below)}"
    if check.name == "build":
        return "builds"
    return "" if check.name in ("profile", "cache") else f"{check.name} ok"


def problem_json(problem: "Problem") -> dict[str, Any]:
    """Return a problem as JSON shows it."""
    where = problem.where
    file = str(where.file) if isinstance(where, Place) else None
    return {
        "severity": problem.severity,
        "profile": problem.profile,
        "key": join_key(problem.key) if problem.key else None,
        "message": problem.message,
        "hint": problem.hint,
        "file": file,
        "line": where.line if isinstance(where, Place) else None,
    }


def _placed(definition: "Definition | None") -> dict[str, Any]:
    where = None if definition is None else definition.place()
    return {
        "layer": None if definition is None else definition.layer,
        "file": str(where.file) if isinstance(where, Place) else None,
        "line": where.line if isinstance(where, Place) else None,
    }


def lines(results: Sequence[Diagnosis]) -> Iterator[Text]:
    """Yield one aligned line per profile, each followed by its details."""
    heads = [one.head() for one in results]
    first = max((len(one.one.name) for one in results), default=0)
    widths = [len(line) for line, tail in heads if tail and len(line) <= _WIDEST]
    second = max(widths, default=0)
    for one, (line, tail) in zip(results, heads, strict=True):
        text = Text.assemble((f"  {one.one.name:{first}}", "bold"), "   ", line)
        if tail:
            text.append(" " * (second - len(line)) + f"   {tail}", style=MUTED)
        yield text
        for more in one.below():
            yield Text(" " * (first + 7)).append(more)


def route_lines(routes: Mapping[str, "Route"]) -> Iterator[Text]:
    """Yield where each profile's requests go, and what sets the address."""
    widths = [max(map(len, column)) for column in ([*routes], [r.host for r in routes.values()])]
    for name, route in routes.items():
        line = Text.assemble((f"  {name:{widths[0]}}", "bold"), f"   →  {route.host}")
        if route.set_by is not None:
            line.append(" " * (widths[1] - len(route.host)))
            line.append(f"   set by {show_place(route.set_by)}", style=MUTED)
        yield line
