"""Calls of modules in one trial, by their paths in the program."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dspy_profiles.display import show_value
from dspy_profiles.results._model import Event
from dspy_profiles.results.journal._usage import Spent, seconds_of

__all__ = ["Step", "fields_of", "steps_of"]

PROMPT = "prompt"


@dataclass
class Step:
    """One call of a module. `prompts` are its own requests to models, by message."""

    path: str
    nth: int  # of the calls at that path in the trial, from 0
    spent: Spent
    outputs: Any = None
    prompts: list[tuple[str, str]] = field(default_factory=list)


def steps_of(events: Sequence[Event]) -> dict[tuple[str, int], Step]:
    """Return the calls of modules by path and number, in the order in which they began."""
    by_id = {event.id: event for event in events}
    steps: dict[str, Step] = {}
    seen: Counter[str] = Counter()
    for event in events:
        if event.kind == "module":
            path = _path(event)
            spent = Spent(seconds=seconds_of(event))
            steps[event.id] = Step(path, seen[path], spent, event.attributes.get("outputs"))
            seen[path] += 1
    for event in events:
        if event.kind == "lm" and (step := _around(event, by_id, steps)) is not None:
            step.spent += Spent.on([event], 0.0)
            step.prompts += _prompt(event, len(step.prompts))
    return {(step.path, step.nth): step for step in steps.values()}


def fields_of(value: Any) -> Iterator[tuple[str, str]]:
    """Yield the fields of outputs as strings."""
    if isinstance(value, Mapping):
        yield from ((str(key), show_value(item)) for key, item in value.items())
    elif value is not None:
        yield "", show_value(value)


def _path(event: Event) -> str:
    """Return the path of a module in its program, otherwise its name."""
    path = event.attributes.get("path")
    return path if isinstance(path, str) else event.name


def _around(event: Event, by_id: Mapping[str, Event], steps: Mapping[str, Step]) -> Step | None:
    """Return the nearest module around a call."""
    parent = event.parent_id
    while parent is not None and parent not in steps:
        around = by_id.get(parent)
        parent = None if around is None else around.parent_id
    return None if parent is None else steps[parent]


def _prompt(event: Event, before: int) -> Iterator[tuple[str, str]]:
    request = event.attributes
    if isinstance(request.get("inputs"), Mapping):
        request = request["inputs"]
    if request.get(PROMPT) is not None:
        yield PROMPT, show_value(request[PROMPT])
    messages = request.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, Mapping):
            yield str(message.get("role") or before), _content(message.get("content"))


def _content(content: Any) -> str:
    """Return the text of a message, which may consist of several parts."""
    if not isinstance(content, list):
        return show_value(content)
    texts = [p["text"] if isinstance(p, Mapping) and "text" in p else p for p in content]
    return "\n".join(show_value(text) for text in texts)
