"""Describe one event, by kind: title, inputs, outputs, and the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dspy_profiles.display import brief, count, counted, money, number, on_one_line, readable
from dspy_profiles.results._model import Event

__all__ = ["Described", "Part", "described"]

TITLE = 80  # characters
# Shown in the line of a step, or as a mark.
ELSEWHERE = frozenset({"error", "orphan", "trial_inferred", "path"})


@dataclass(frozen=True, slots=True)
class Part:
    """A text that is folded under a step: a prompt, a response, arguments."""

    label: str
    text: str
    is_answer: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """Description of an event. `asked` and `answered` are short, for the line of the step."""

    title: str
    asked: str = ""
    answered: str = ""
    notes: Sequence[str] = ()
    parts: Sequence[Part] = field(default=())


def described(event: Event) -> Described:
    return KINDS.get(event.kind, _other)(event, event.attributes)


def _title(text: str) -> str:
    return on_one_line(text, TITLE)


def _module(event: Event, attributes: Mapping[str, Any]) -> Described:
    path = attributes.get("path")
    name = _title(event.name)
    title = f"{_title(path)} · {name}" if isinstance(path, str) and path else name
    asked, answered = _both(attributes, "inputs", "outputs")
    parts = [
        *_part(attributes, "inputs"),
        *_part(attributes, "outputs", is_answer=True),
        *_rest(attributes, "io"),
    ]
    return Described(title, asked, answered, (), parts)


def _lm(event: Event, attributes: Mapping[str, Any]) -> Described:
    inputs = attributes.get("inputs")
    asked = (
        {**attributes, **inputs} if isinstance(inputs, Mapping) else dict(attributes)
    )  # the call is a trial
    questions = list(_questions(asked))
    answers = list(_answers(attributes.get("outputs")))
    parts = [*questions, *_part(asked, "arguments"), *answers, *_rest(attributes, "lm")]
    return Described(
        _title(event.name),
        on_one_line(questions[-1].text) if questions else "",
        on_one_line(answers[0].text) if answers else "",
        list(_account(event, attributes)),
        parts,
    )


def _account(event: Event, attributes: Mapping[str, Any]) -> Sequence[str]:
    """Return tokens, cost, and the model, cache or cassette that answered."""
    notes = []
    model = attributes.get("response_model")
    if isinstance(model, str) and model and not event.name.endswith(model):
        notes.append(_title(model))
    notes += [key for key in ("cached", "replayed") if attributes.get(key) is True]
    if attributes.get("cached") is True or event.status == "running":
        return notes
    usage = attributes.get("usage")
    if isinstance(usage, Mapping):
        notes.append(_tokens(usage))
    cost = attributes.get("cost")
    if isinstance(cost, int | float):
        notes.append(money(cost))
    elif event.status != "failed":
        notes.append("cost unknown")
    return [note for note in notes if note]


def _tokens(usage: Mapping[str, Any]) -> str:
    asked, answered = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if isinstance(asked, int) and isinstance(answered, int):
        return f"{count(asked)} + {count(answered)} tokens"
    total = usage.get("total_tokens")
    return counted(total, "token") if isinstance(total, int) else ""


def _questions(attributes: Mapping[str, Any]) -> Sequence[Part]:
    messages = attributes.get("messages")
    if isinstance(messages, list):
        return [_message(each) for each in messages]
    if messages is not None:
        return [Part("messages", readable(messages))]
    for key in ("prompt", "inputs"):
        if attributes.get(key) is not None:
            return [Part(key, readable(attributes[key]))]
    return []


def _message(message: Any) -> Part:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        return Part("message", readable(message))
    rest = {k: v for k, v in message.items() if k not in ("role", "content") and v is not None}
    texts = [_content(message["content"])] if message.get("content") is not None else []
    texts += [readable(rest)] if rest else []
    return Part(_title(message["role"]), "\n\n".join(texts))


def _content(content: Any) -> str:
    """Return the text of a message, which may consist of several parts."""
    if not isinstance(content, list):
        return readable(content)
    return "\n\n".join(
        readable(each["text"])
        if isinstance(each, Mapping) and each.get("type") == "text" and "text" in each
        else readable(each)
        for each in content
    )


def _answers(outputs: Any) -> Sequence[Part]:
    if outputs is None:
        return []
    if not isinstance(outputs, list):
        return [Part("answer", readable(outputs), is_answer=True)]
    several = len(outputs) > 1
    return [
        Part(f"answer {nr}" if several else "answer", _answer(each), is_answer=True)
        for nr, each in enumerate(outputs, 1)
    ]


def _answer(output: Any) -> str:
    """Return the text of an output. DSPy returns a string, or a table with more fields."""
    if isinstance(output, Mapping) and isinstance(output.get("text"), str):
        rest = {key: value for key, value in output.items() if key != "text" and value is not None}
        text = readable(output["text"])
        return f"{text}\n\n{readable(rest)}" if rest else text
    return readable(output)


def _adapter(event: Event, attributes: Mapping[str, Any]) -> Described:
    step = attributes.get("step")
    signature = (
        brief(attributes["signature"], 120) if attributes.get("signature") is not None else ""
    )
    counts = []
    if isinstance(demos := attributes.get("demos"), int) and demos:
        counts.append(counted(demos, "demo"))
    if isinstance(messages := attributes.get("messages"), int):
        counts.append(counted(messages, "message"))
    outputs = (
        brief(attributes["outputs"]) if attributes.get("outputs") is not None else ", ".join(counts)
    )
    title = " ".join(_title(each) for each in (event.name, step) if isinstance(each, str))
    rest = _rest(attributes, "adapter")
    parts = [*_part(attributes, "signature"), *_part(attributes, "outputs", is_answer=True), *rest]
    return Described(title, signature, outputs, (), parts)


def _tool(event: Event, attributes: Mapping[str, Any]) -> Described:
    asked, answered = _both(attributes, "inputs", "outputs")
    parts = [
        *_part(attributes, "inputs", "arguments"),
        *_part(attributes, "outputs", "result", is_answer=True),
        *_rest(attributes, "io"),
    ]
    return Described(_title(event.name), asked, answered, (), parts)


def _evaluate(event: Event, attributes: Mapping[str, Any]) -> Described:
    asked = [
        brief(attributes[key], 60)
        for key in ("program", "metric")
        if attributes.get(key) is not None
    ]
    if isinstance(examples := attributes.get("examples"), int):
        asked.append(counted(examples, "example"))
    score = attributes.get("score")
    answered = number(score) if isinstance(score, int | float) else ""
    return Described(
        _title(event.name), " · ".join(asked), answered, (), _rest(attributes, "evaluate")
    )


def _compile(event: Event, attributes: Mapping[str, Any]) -> Described:
    asked = [brief(attributes["program"], 60)] if attributes.get("program") is not None else []
    arguments = attributes.get("arguments")
    if isinstance(arguments, Mapping):  # mostly numbers: show their names
        asked += [f"{brief(key, 40)}: {brief(value, 40)}" for key, value in arguments.items()]
    candidate = attributes.get("candidate")
    answered = f"candidate {on_one_line(candidate[:8])}" if isinstance(candidate, str) else ""
    parts = [
        *_part(attributes, "arguments"),
        *_part(attributes, "predictors", "result", is_answer=True),
        *_rest(attributes, "compile"),
    ]
    return Described(_title(event.name), " · ".join(asked), answered, (), parts)


def _decision(event: Event, attributes: Mapping[str, Any]) -> Described:
    texts = {
        key: brief(attributes[key])
        for key in ("rationale", "action")
        if attributes.get(key) is not None
    }
    worker = attributes.get("worker")
    parts = [
        part
        for key in ("strategy", "rationale", "action", "worker")
        for part in _part(attributes, key)
    ]
    return Described(
        _title(str(attributes.get("strategy") or event.name)),
        texts.get("rationale", ""),
        texts.get("action", ""),
        [f"worker {brief(worker, 40)}"] if worker is not None else [],
        [*parts, *_rest(attributes, "decision")],
    )


def _score(event: Event, attributes: Mapping[str, Any]) -> Described:
    value = attributes.get("value")
    if isinstance(value, int | float):
        answered = number(value)
    else:
        given = attributes.get("given")
        answered = "not a number" if given is None else f"not a number: {brief(given, 60)}"
    notes = ["by the evaluation"] if attributes.get("by") == "evaluate" else []
    parts = [*_part(attributes, "given"), *_part(attributes, "labels"), *_rest(attributes, "score")]
    return Described(_title(event.name), "", answered, notes, parts)


def _other(event: Event, attributes: Mapping[str, Any]) -> Described:
    return Described(_title(event.name), "", "", (), _rest(attributes, "other"))


KINDS: dict[str, Callable[[Event, Mapping[str, Any]], Described]] = {
    "module": _module,
    "lm": _lm,
    "adapter": _adapter,
    "tool": _tool,
    "evaluate": _evaluate,
    "compile": _compile,
    "decision": _decision,
    "score": _score,
}
# Attributes with a place of their own. The others are shown as "more".
PLACED = {
    "io": {"inputs", "outputs"},
    "lm": {
        *("prompt", "messages", "inputs", "arguments", "outputs"),
        *("usage", "cost", "cached", "replayed", "response_model"),
    },
    "adapter": {"step", "signature", "demos", "messages", "outputs"},
    "evaluate": {"program", "metric", "examples", "score"},
    "compile": {"program", "arguments", "predictors", "candidate"},
    "decision": {"strategy", "rationale", "action", "worker"},
    "score": {"value", "given", "by", "labels"},
    "other": set(),
}


def _part(
    attributes: Mapping[str, Any], key: str, label: str | None = None, *, is_answer: bool = False
) -> Sequence[Part]:
    value = attributes.get(key)
    if value is None or value in ({}, []):
        return []
    return [Part(label or key, readable(value), is_answer)]


def _rest(attributes: Mapping[str, Any], placed: str) -> Sequence[Part]:
    known = PLACED[placed] | ELSEWHERE
    rest = {
        key: value for key, value in attributes.items() if key not in known and value is not None
    }
    return [Part("more", readable(rest))] if rest else []


def _both(attributes: Mapping[str, Any], first: str, second: str) -> tuple[str, str]:
    asked = brief(attributes[first]) if attributes.get(first) not in (None, {}) else ""
    return asked, brief(attributes[second]) if attributes.get(second) is not None else ""
