"""What `validate` and `doctor` found, as lines for people and as JSON for programs."""

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
    from dspy_profiles.cli.doctor._fault import Fault
    from dspy_profiles.cli.doctor._verdicts import Answer
    from dspy_profiles.cli.doctor._walk import Check, Examined
    from dspy_profiles.profiles import Definition

__all__ = ["Diagnosis", "fault_json", "fault_lines", "lines", "ways"]


@dataclass(frozen=True)
class Diagnosis:
    """One profile as `doctor` found it, and what came of asking its model."""

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
        return self.counts and self.one.is_sound and answered

    def head(self) -> tuple[Text, str]:
        """What went well, what did not, and what to do about it."""
        one, answer, error = self.one, self.answer, self._first_error
        parts = [Text(_passed(check, one)) for check in one.checks if check.status in _PASSED]
        tail = ""
        if one.children:
            parts.append(Text(f"for {', '.join(one.children)} to extend: it names no model"))
        elif error is not None:
            parts.append(_told(error))
            tail = error.hint or ""
        elif answer is not None:
            good = answer.kind == "answered"
            parts.append(Text(redact(answer.message), style="" if good else "red"))
            tail = f"{answer.ms} ms" if good else answer.hint or ""
        elif self.live:
            parts.append(Text("no model to ask"))
        return Text(" · ", style=MUTED).join(part for part in parts if part.plain), redact(tail)

    def below(self) -> Iterator[Text]:
        """What does not fit into one line."""
        detail = None if self.answer is None else self.answer.detail
        if self.answer is not None and detail and self.answer.kind not in _SAID_ENOUGH:
            yield Text(f"it says: {redact(detail)}", style=MUTED)
        for fault in sorted(self.one.faults, key=lambda fault: fault.severity):  # errors first
            if fault is not self._first_error:
                yield _told(fault)
                if fault.hint:
                    yield Text(f"  {redact(fault.hint)}", style=MUTED)

    @property
    def _first_error(self) -> "Fault | None":
        return next((fault for fault in self.one.faults if fault.severity == "error"), None)

    def as_json(self) -> dict[str, Any]:
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
                    "findings": [fault_json(fault) for fault in check.faults],
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


def fault_lines(fault: "Fault") -> Iterator[Text]:
    """A fault as a compiler would say it, so that editors find the line."""
    grave = fault.severity == "error"
    where = "" if fault.where is None else f"{show_place(fault.where)}: "
    # Most messages of ours name the profile themselves.
    named = fault.profile is None or f'"{fault.profile}"' in fault.message
    whose = "" if named else f"{fault.profile}: "
    first, *rest = redact(fault.message).splitlines() or [""]
    label = (f"{fault.severity}: ", "bold red" if grave else "bold yellow")
    yield Text.assemble((where, MUTED), label, whose, first)
    yield from (Text(line) for line in rest)
    if fault.hint:
        yield Text(f"  {redact(fault.hint)}")


_PASSED = ("ok", "warning")
_SAID_ENOUGH = ("no-key", "no-model")
_WIDEST = 80  # characters; what is wider pushes its own hint to the right, and no other's


def _told(fault: "Fault") -> Text:
    where = "" if fault.where is None else f"   {show_place(fault.where)}"
    style = "red" if fault.severity == "error" else "yellow"
    label = "" if fault.severity == "error" else "warning: "
    message = " ".join(redact(fault.message).split())
    return Text.assemble((f"{label}{message}", style), (where, MUTED))


def _passed(check: "Check", one: "Examined") -> str:
    """A step that went well, in a word or two; nothing for those that go without saying."""
    if check.name == "file" and one.shadows:
        below = one.shadows[0].place()
        return f"file ok, over {show_place(below)}"
    if check.name == "build":
        return "builds"
    return "" if check.name in ("profile", "cache") else f"{check.name} ok"


def fault_json(fault: "Fault") -> dict[str, Any]:
    where = fault.where
    file = str(where.file) if isinstance(where, Place) else None
    return {
        "severity": fault.severity,
        "profile": fault.profile,
        "key": join_key(fault.key) if fault.key else None,
        "message": fault.message,
        "hint": fault.hint,
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
    """One line per profile, aligned, and below it what does not fit."""
    heads = [one.head() for one in results]
    first = max((len(one.one.name) for one in results), default=0)
    fitting = [len(line) for line, tail in heads if tail and len(line) <= _WIDEST]
    second = max(fitting, default=0)
    for one, (line, tail) in zip(results, heads, strict=True):
        text = Text.assemble((f"  {one.one.name:{first}}", "bold"), "   ", line)
        if tail:
            text.append(" " * (second - len(line)) + f"   {tail}", style=MUTED)
        yield text
        for more in one.below():
            yield Text(" " * (first + 7)).append(more)


def ways(routes: Mapping[str, "Route"]) -> Iterator[Text]:
    """Where each profile's requests go, and who said so."""
    widths = [max(map(len, column)) for column in ([*routes], [r.host for r in routes.values()])]
    for name, route in routes.items():
        line = Text.assemble((f"  {name:{widths[0]}}", "bold"), f"   →  {route.host}")
        if route.set_by is not None:
            line.append(" " * (widths[1] - len(route.host)))
            line.append(f"   set by {show_place(route.set_by)}", style=MUTED)
        yield line
