"""All that DSPy says of a run: each event, in the order of the call that it belongs to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

__all__ = ["Noted", "told"]

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
KINDS = (
    "module",
    "lm",
    "adapter_format",
    "adapter_parse",
    "tool",
    "evaluate",
    "compile",
)


@dataclass
class Node:
    """One call: what went in, what came out, and the calls in it."""

    kind: str
    who: str
    given: str
    ended: str = "never"
    calls: list["Node"] = field(default_factory=list)

    def lines(self, depth: int = 0) -> Iterator[str]:
        yield f"{'  ' * depth}{self.kind} {self.who} {self.given}"
        # Which thread was first is chance: what runs side by side is put in order.
        threads = self.kind in ("evaluate", "compile", "run")
        below = [list(call.lines(depth + 1)) for call in self.calls]
        for lines in sorted(below) if threads else below:
            yield from lines
        yield f"{'  ' * depth}end {self.ended}"


def told(value: object) -> str:
    """A value as text, without what differs in each process."""
    return ADDRESS.sub("", repr(value))


class Noted(BaseCallback):
    """Keeps the calls as the tree that they are."""

    def __init__(self) -> None:
        self.root = Node("run", "", "")
        self.calls: dict[str, Node] = {}

    def started(self, kind: str, call_id: str, instance: Any, inputs: Any) -> None:
        node = Node(kind, type(instance).__name__, told(inputs))
        self.calls[call_id] = node
        self.calls.get(ACTIVE_CALL_ID.get() or "", self.root).calls.append(node)

    def ended(self, call_id: str, outputs: Any, exception: BaseException | None) -> None:
        self.calls[call_id].ended = told(outputs if exception is None else exception)

    @property
    def events(self) -> list[str]:
        return list(self.root.lines())


def _listen(kind: str) -> None:
    def start(self: Noted, call_id: str, instance: Any, inputs: Any) -> None:
        self.started(kind, call_id, instance, inputs)

    def end(
        self: Noted, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self.ended(call_id, outputs, exception)

    setattr(Noted, f"on_{kind}_start", start)
    setattr(Noted, f"on_{kind}_end", end)


for each in KINDS:
    _listen(each)
