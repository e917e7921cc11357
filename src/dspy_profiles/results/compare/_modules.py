"""What the modules of a program did in one trial, by their paths in the program."""

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
    """One call of a module. `prompts` are what it asked models itself, a text for each part."""

    path: str
    nth: int  # of the calls at that path in the trial, from 0
    spent: Spent
    outputs: Any = None
    prompts: list[tuple[str, str]] = field(default_factory=list)


def steps_of(events: Sequence[Event]) -> dict[tuple[str, int], Step]:
    """Each call of a module, in the order in which they began, by path and number."""
    by_id = {event.id: event for event in events}
    made: dict[str, Step] = {}
    seen: Counter[str] = Counter()
    for event in events:
        if event.kind == "module":
            path = _path(event)
            spent = Spent(seconds=seconds_of(event))
            made[event.id] = Step(path, seen[path], spent, event.attributes.get("outputs"))
            seen[path] += 1
    for event in events:
        if event.kind == "lm" and (step := _around(event, by_id, made)) is not None:
            step.spent += Spent.on([event], 0.0)
            step.prompts += _prompt(event, len(step.prompts))
    return {(step.path, step.nth): step for step in made.values()}


def fields_of(value: Any) -> Iterator[tuple[str, str]]:
    """What a program or a module answered, field by field, as texts."""
    if isinstance(value, Mapping):
        yield from ((str(key), show_value(item)) for key, item in value.items())
    elif value is not None:
        yield "", show_value(value)


def _path(event: Event) -> str:
    """Its place in the program; its name, where it is in none."""
    path = event.attributes.get("path")
    return path if isinstance(path, str) else event.name


def _around(event: Event, by_id: Mapping[str, Event], made: Mapping[str, Step]) -> Step | None:
    """The module that a call was made by: the nearest one around it."""
    parent = event.parent_id
    while parent is not None and parent not in made:
        around = by_id.get(parent)
        parent = None if around is None else around.parent_id
    return None if parent is None else made[parent]


def _prompt(event: Event, before: int) -> Iterator[tuple[str, str]]:
    said = event.attributes
    if isinstance(said.get("inputs"), Mapping):
        said = said["inputs"]
    if said.get(PROMPT) is not None:
        yield PROMPT, show_value(said[PROMPT])
    messages = said.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, Mapping):
            yield str(message.get("role") or before), _content(message.get("content"))


def _content(content: Any) -> str:
    """The text of a message, whether it stands there by itself or in parts."""
    if not isinstance(content, list):
        return show_value(content)
    texts = [p["text"] if isinstance(p, Mapping) and "text" in p else p for p in content]
    return "\n".join(show_value(text) for text in texts)
