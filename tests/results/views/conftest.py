"""Experiments written line by line, so that a view has the same times and ids every time."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from dspy_profiles.results import Experiment, Store
from dspy_profiles.results._model import written
from dspy_profiles.results.journal import _archive as archive

BEGAN = datetime(2026, 11, 21, 6, 39, 14, tzinfo=UTC)
EXPERIMENT = "0" * 25 + "1"
ENEMY = "0" * 25 + "9"
SYSTEM = (
    "Your input fields are:\n1. `question` (str):\nYour output fields are:\n1. `answer` (str):\n"
    "All interactions will be structured in the following way, with the appropriate values filled "
    "in.\n\n[[ ## question ## ]]\n{question}\n\n[[ ## answer ## ]]\n{answer}\n\n"
    "[[ ## completed ## ]]\nIn adhering to this structure, your objective is:\n"
    "        Given the fields `question`, produce the fields `answer`."
)
DETAILS = {
    "profile": {"name": "prod", "fingerprint": "8ffe5064480e53bc", "reason": "from the argument"},
    "versions": {"dspy": "3.4.1", "dspy-profiles": "0.1.0", "python": "3.11.7"},
    "platform": "Linux-6.18",
    "git": {"commit": "c62a15142b9d01f2c62a15142b9d01f2c62a1514", "branch": "main", "dirty": True},
    "command": ["python", "capitals.py", "--split", "dev set"],
    "folder": "/home/you/project",
    "pid": 28535,
}


class Book:
    """One experiment while a test writes it. Times are in milliseconds since it began."""

    def __init__(self, store: Store, **header: Any) -> None:
        self.store = store
        self.id = header.pop("id", EXPERIMENT)
        self._ids = itertools.count(1)
        self._journal = store.storage.begin(self.id, "process", self._first)
        said = {"name": "capitals", "hypothesis": "short prompts do", "profile": "prod", **header}
        said["details"] = {**DETAILS, **header.get("details", {})}
        self.line("experiment", id=self.id, v=1, started=at(0), **said)

    def line(self, of_type: str, /, **content: Any) -> None:
        said = {key: value for key, value in content.items() if value is not None}
        self._journal.write(
            orjson.dumps({"type": of_type, **said}, option=orjson.OPT_APPEND_NEWLINE)
        )

    def new_id(self) -> str:
        return f"{next(self._ids):026d}"

    def begin(self, kind: str, name: str, start: float, **more: Any) -> str:
        """Begin a call; `attributes`, `trial`, `parent`, `opens` as a journal has them."""
        made = more.pop("id", None) or self.new_id()
        self.line("begin", id=made, kind=kind, name=name, started=at(start), **more)
        return made

    def end(self, event: str, end: float, trial: str | None = None, **attributes: Any) -> None:
        status = attributes.pop("status", "failed" if "error" in attributes else "done")
        self.line("end", id=event, trial=trial, ended=at(end), status=status, attributes=attributes)

    def point(self, kind: str, name: str, start: float, **more: Any) -> str:
        made = self.new_id()
        end = at(more.pop("end", start))
        status = more.pop("status", "done")
        said = {"started": at(start), "ended": end, "status": status, "attributes": {}, **more}
        self.line("event", id=made, kind=kind, name=name, **said)
        return made

    def call(
        self,
        start: float,
        *,
        question: str = "What is the capital of France?",
        answer: Any = "Paris",
        cost: float | None = 0.0012,
        error: str | None = None,
        lm: float = 400,
        opens: dict[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """A whole trial: a module, how its adapter asks, what its model says. Its id."""
        trial, outer = self.new_id(), self.new_id()
        asked = {"inputs": {"question": question}, "path": ""}
        opens = opens or {"kind": "call"}
        self.begin("module", "Capital", start, id=outer, trial=trial, opens=opens, attributes=asked)
        inside = {"trial": trial, "parent": outer}
        signature = {"signature": "question -> answer"}
        self.point(
            "adapter", "ChatAdapter", start + 0.3, end=start + 0.6, **inside,
            attributes={"step": "format", "demos": 0, "messages": 2, **signature},
        )  # fmt: skip
        content = f"[[ ## question ## ]]\n{question}\n\nRespond with the field `answer`."
        messages = [
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": content},
        ]
        arguments = {"temperature": 0.7, "max_tokens": 1000}
        prompt = {"messages": messages, "arguments": arguments}
        model = self.begin("lm", "openai/gpt-4o", start + 1, attributes=prompt, **inside)
        ended = start + 1 + lm
        if error is not None:
            self.end(model, ended, trial, error=error)
            self.end(outer, ended + 1, trial, error=error)
            return trial
        usage = {"prompt_tokens": 148, "completion_tokens": 12, "total_tokens": 160}
        said: dict[str, Any] = {"usage": usage, "cost": cost, "cached": False, **more}
        said.setdefault("response_model", "gpt-4o")
        text = (
            answer
            if isinstance(answer, dict)
            else (f"[[ ## answer ## ]]\n{answer}\n\n[[ ## completed ## ]]")
        )
        said = {key: value for key, value in said.items() if value is not None}
        self.end(model, ended, trial, outputs=[text], **said)
        self.point(
            "adapter", "ChatAdapter", ended + 0.2, end=ended + 0.4, **inside,
            attributes={"step": "parse", "outputs": {"answer": answer}, **signature},
        )  # fmt: skip
        self.end(outer, ended + 1, trial, outputs={"answer": answer})
        return trial

    def score(
        self, value: float | None, start: float, trial: str | None = None, **more: Any
    ) -> str:
        name = more.pop("name", "metric")
        return self.point("score", name, start, trial=trial, attributes={"value": value, **more})

    def close(self, end: float, status: str = "done", **more: Any) -> "Book":
        self._journal.close()
        archive.seal(self.store.storage, self.id, status, ended=at(end), **{"lost": 0, **more})
        self.store.archive_experiment(self)
        return self

    def _first(self, journal: str) -> bytes:
        return b'{"type":"journal","v":1,"journal":"%b","pid":1}\n' % journal.encode()


def at(milliseconds: float) -> str:
    return written(BEGAN + timedelta(milliseconds=milliseconds))


@pytest.fixture
def book(memory: Store) -> Callable[..., Book]:
    """Begins an experiment in it."""
    return lambda **header: Book(memory, **header)


@pytest.fixture
def capitals(book: Callable[..., Book]) -> Book:
    """Three questions: one answered well, one badly, one not at all."""
    return three_questions(book())


# What may do harm where it is shown: to a page, to its data, to a terminal, to the eye.
HOSTILE = (
    "</script><script>window.harmed = 1; alert(1)</script>",
    "<img src=x onerror='window.harmed = 1; alert(1)'>",
    '"><svg onload="window.harmed = 1">',
    "<!--<script>",
    "{{ 7 * 7 }} {% raw %}",
    "javascript:window.harmed=1",
    "\x1b]0;harmed\x07\x1b[31m\x1b[2J\r\x9b31m\x00",
    "\u202egnp.exe\u2066 \u2028 \u2029",
    "שלום עולם <b>x</b> 👩‍👩‍👧 é",
)
HARM = " ".join(HOSTILE)


@pytest.fixture
def everywhere(book: Callable[..., Book]) -> Callable[[str], Book]:
    """An experiment in which everything that somebody else may say is this text."""
    return lambda text: says_everywhere(book, text)


@pytest.fixture
def hostile(everywhere: Callable[[str], Book]) -> Book:
    return everywhere(HARM)


@pytest.fixture
def hostile_names(book: Callable[..., Book], memory: Store) -> Sequence[Experiment]:
    """One experiment for each beginning of these: a list has no room for more of a name."""
    made = [
        book(id=f"{number:026d}", name=text[:18], profile=None).close(1)
        for number, text in enumerate(HOSTILE, 101)
    ]
    return [memory.get_experiment(each.id) for each in made]


def says_everywhere(book: Callable[..., Book], text: str) -> Book:
    said = {"name": text, "reason": text, "fingerprint": text}
    details = {
        "profile": said,
        "versions": {"dspy": text, "python": text},
        "platform": text,
        "git": {"commit": text, "branch": text, "dirty": True},
        "command": [text, text],
        "folder": text,
    }
    made = book(id=ENEMY, name=text, hypothesis=text, program=text, profile=text, details=details)
    decided = dict.fromkeys(("strategy", "rationale", "action", "worker", text), text)
    made.point("decision", text, 1, attributes=decided)
    opens = {"kind": text, "name": text}
    trial, outer = made.new_id(), made.new_id()
    inputs = {text: text}
    made.begin(
        "module", text, 2, id=outer, trial=trial, opens=opens,
        attributes={"inputs": inputs, "path": text, text: text},
    )  # fmt: skip
    inside = {"trial": trial, "parent": outer}
    messages = [{"role": text, "content": text}, {"role": "user", "content": [{text: text}]}]
    lm = made.begin("lm", text, 3, **inside, attributes={"messages": messages})
    made.end(lm, 4, trial, outputs=[text, {"text": text, text: text}], response_model=text)
    made.point(
        "tool", text, 5, **inside, status=text, attributes={"inputs": inputs, "outputs": text}
    )
    made.point("adapter", text, 6, **inside, attributes={"step": text, "signature": text})
    for kind in (text, *HOSTILE):  # what has room for little shows the beginning of each
        made.point(kind, text, 7, **inside, attributes={text: text})
    made.score(None, 8, trial, name=text, given=text, labels=inputs)
    made.end(outer, 9, trial, error=text)
    candidate = {"candidate": text, "parent": text, "parent_inferred": True}
    made.line(
        "trial", id=made.new_id(), kind="candidate", name=text, started=at(9), details=candidate,
        inputs={text: {"instructions": text, "demos": [text]}},
    )  # fmt: skip
    return made.close(10, status="failed", error=text, faults={"count": 1, "first": text}, lost=2)


def three_questions(made: Book) -> Book:
    made.point(
        "decision", "ask once", 1,
        attributes={
            "strategy": "ask once", "rationale": "the questions are easy",
            "action": "call the predictor", "worker": None,
        },
    )  # fmt: skip
    made.score(1.0, 420, made.call(10, opens=example(0)))
    made.score(0.0, 830, made.call(430, question="And of Peru?", answer="Rome", opens=example(1)))
    made.call(840, question="?", error="RateLimitError: slow down", lm=90, opens=example(2))
    return made.close(1000)


def example(index: int, parent: str | None = None) -> dict[str, Any]:
    said = {"kind": "example", "name": f"example {index}", "details": {"index": index}}
    return said if parent is None else {**said, "parent": parent}
