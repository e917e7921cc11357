"""What one event says of itself, kind by kind: a title, what went in and came out, and the rest."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dspy_profiles.display import brief, count, counted, money, number, on_one_line, readable
from dspy_profiles.results._model import Event

__all__ = ["Described", "Part", "described"]

TITLE = 80  # characters
# What stands in a step's line, or is said of it in words.
SAID = frozenset({"error", "orphan", "trial_inferred", "path"})


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is folded under a step: a prompt, an answer, arguments."""

    label: str
    text: str
    is_answer: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """`asked` and `answered` are short and stand in the step's own line."""

    title: str
    asked: str = ""
    answered: str = ""
    notes: Sequence[str] = ()
    parts: Sequence[Part] = field(default=())


def described(event: Event) -> Described:
    return KINDS.get(event.kind, _other)(event, event.attributes)


def _title(text: str) -> str:
    return on_one_line(text, TITLE)


def _module(event: Event, said: Mapping[str, Any]) -> Described:
    path = said.get("path")
    name = _title(event.name)
    title = f"{_title(path)} · {name}" if isinstance(path, str) and path else name
    asked, answered = _both(said, "inputs", "outputs")
    parts = [*_part(said, "inputs"), *_part(said, "outputs", is_answer=True), *_rest(said, "io")]
    return Described(title, asked, answered, (), parts)


def _lm(event: Event, said: Mapping[str, Any]) -> Described:
    inputs = said.get("inputs")
    asked = {**said, **inputs} if isinstance(inputs, Mapping) else dict(said)  # a call of its own
    questions = list(_questions(asked))
    answers = list(_answers(said.get("outputs")))
    parts = [*questions, *_part(asked, "arguments"), *answers, *_rest(said, "lm")]
    return Described(
        _title(event.name),
        on_one_line(questions[-1].text) if questions else "",
        on_one_line(answers[0].text) if answers else "",
        list(_account(event, said)),
        parts,
    )


def _account(event: Event, said: Mapping[str, Any]) -> Sequence[str]:
    """Tokens, cost, and who answered."""
    notes = []
    model = said.get("response_model")
    if isinstance(model, str) and model and not event.name.endswith(model):
        notes.append(_title(model))
    notes += [key for key in ("cached", "replayed") if said.get(key) is True]
    if said.get("cached") is True or event.status == "running":
        return notes
    usage = said.get("usage")
    if isinstance(usage, Mapping):
        notes.append(_tokens(usage))
    cost = said.get("cost")
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


def _questions(said: Mapping[str, Any]) -> Sequence[Part]:
    messages = said.get("messages")
    if isinstance(messages, list):
        return [_message(each) for each in messages]
    if messages is not None:
        return [Part("messages", readable(messages))]
    for key in ("prompt", "inputs"):
        if said.get(key) is not None:
            return [Part(key, readable(said[key]))]
    return []


def _message(message: Any) -> Part:
    if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
        return Part("message", readable(message))
    rest = {k: v for k, v in message.items() if k not in ("role", "content") and v is not None}
    texts = [_content(message["content"])] if message.get("content") is not None else []
    texts += [readable(rest)] if rest else []
    return Part(_title(message["role"]), "\n\n".join(texts))


def _content(content: Any) -> str:
    """What a message says: one text, or pieces, some of which are texts."""
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
    """DSPy gives a text, or a table where there is more to say than that."""
    if isinstance(output, Mapping) and isinstance(output.get("text"), str):
        rest = {key: value for key, value in output.items() if key != "text" and value is not None}
        text = readable(output["text"])
        return f"{text}\n\n{readable(rest)}" if rest else text
    return readable(output)


def _adapter(event: Event, said: Mapping[str, Any]) -> Described:
    step = said.get("step")
    signature = brief(said["signature"], 120) if said.get("signature") is not None else ""
    made = []
    if isinstance(demos := said.get("demos"), int) and demos:
        made.append(counted(demos, "demo"))
    if isinstance(messages := said.get("messages"), int):
        made.append(counted(messages, "message"))
    outputs = brief(said["outputs"]) if said.get("outputs") is not None else ", ".join(made)
    title = " ".join(_title(each) for each in (event.name, step) if isinstance(each, str))
    rest = _rest(said, "adapter")
    parts = [*_part(said, "signature"), *_part(said, "outputs", is_answer=True), *rest]
    return Described(title, signature, outputs, (), parts)


def _tool(event: Event, said: Mapping[str, Any]) -> Described:
    asked, answered = _both(said, "inputs", "outputs")
    parts = [
        *_part(said, "inputs", "arguments"),
        *_part(said, "outputs", "result", is_answer=True),
        *_rest(said, "io"),
    ]
    return Described(_title(event.name), asked, answered, (), parts)


def _evaluate(event: Event, said: Mapping[str, Any]) -> Described:
    asked = [brief(said[key], 60) for key in ("program", "metric") if said.get(key) is not None]
    if isinstance(examples := said.get("examples"), int):
        asked.append(counted(examples, "example"))
    score = said.get("score")
    answered = number(score) if isinstance(score, int | float) else ""
    return Described(_title(event.name), " · ".join(asked), answered, (), _rest(said, "evaluate"))


def _compile(event: Event, said: Mapping[str, Any]) -> Described:
    asked = [brief(said["program"], 60)] if said.get("program") is not None else []
    arguments = said.get("arguments")
    if isinstance(arguments, Mapping):  # numbers, most of them: each with its name
        asked += [f"{brief(key, 40)}: {brief(value, 40)}" for key, value in arguments.items()]
    candidate = said.get("candidate")
    answered = f"candidate {on_one_line(candidate[:8])}" if isinstance(candidate, str) else ""
    parts = [
        *_part(said, "arguments"),
        *_part(said, "predictors", "what came out", is_answer=True),
        *_rest(said, "compile"),
    ]
    return Described(_title(event.name), " · ".join(asked), answered, (), parts)


def _decision(event: Event, said: Mapping[str, Any]) -> Described:
    texts = {key: brief(said[key]) for key in ("rationale", "action") if said.get(key) is not None}
    worker = said.get("worker")
    parts = [
        part for key in ("strategy", "rationale", "action", "worker") for part in _part(said, key)
    ]
    return Described(
        _title(str(said.get("strategy") or event.name)),
        texts.get("rationale", ""),
        texts.get("action", ""),
        [f"worker {brief(worker, 40)}"] if worker is not None else [],
        [*parts, *_rest(said, "decision")],
    )


def _score(event: Event, said: Mapping[str, Any]) -> Described:
    value = said.get("value")
    if isinstance(value, int | float):
        answered = number(value)
    else:
        given = said.get("given")
        answered = "no number" if given is None else f"no number: {brief(given, 60)}"
    notes = ["by the evaluation"] if said.get("by") == "evaluate" else []
    parts = [*_part(said, "given"), *_part(said, "labels"), *_rest(said, "score")]
    return Described(_title(event.name), "", answered, notes, parts)


def _other(event: Event, said: Mapping[str, Any]) -> Described:
    return Described(_title(event.name), "", "", (), _rest(said, "other"))


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
# What has a place of its own; the rest is shown as it is, so that nothing goes unseen.
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
    said: Mapping[str, Any], key: str, label: str | None = None, *, is_answer: bool = False
) -> Sequence[Part]:
    value = said.get(key)
    if value is None or value in ({}, []):
        return []
    return [Part(label or key, readable(value), is_answer)]


def _rest(said: Mapping[str, Any], placed: str) -> Sequence[Part]:
    known = PLACED[placed] | SAID
    rest = {key: value for key, value in said.items() if key not in known and value is not None}
    return [Part("more", readable(rest))] if rest else []


def _both(said: Mapping[str, Any], first: str, second: str) -> tuple[str, str]:
    asked = brief(said[first]) if said.get(first) not in (None, {}) else ""
    return asked, brief(said[second]) if said.get(second) is not None else ""
