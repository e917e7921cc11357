"""Compare requests by what the model receives.

An address, a key, a header, the id of a call, sync or async, streamed or not: none of these counts.
The temperature does, and so does DSPy's `rollout_id`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles._dspy import Call
from dspy_profiles.calls.cassettes._json import dumped, plain
from dspy_profiles.errors import InvalidProfile, did_you_mean
from dspy_profiles.secrets import Names, redact

__all__ = [
    "MATCH",
    "brief_of",
    "checked_match",
    "key_of",
    "model_of",
    "prompt_of",
    "request_as_written",
    "request_of",
]

# Names for `match`, and the fields of a request that each stands for.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "model": ("model",),
    "messages": ("system", "messages", "input", "query"),
    "tools": ("tools",),
    "config": ("config",),
    "rollout_id": ("rollout_id",),
}
MATCH = tuple(FIELDS)

# Arguments that no model receives.
OURS = frozenset({"cache", "caching", "metadata", "num_retries", "stream", "stream_options"})
APART = frozenset({"model", "messages", "tools", "rollout_id"})
BINARY = 256  # a longer text of base64 alone is an image, a sound or a document
BASE64 = re.compile(r"[A-Za-z0-9+/_=\r\n-]+")
NAMES = Names()


def checked_match(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names in a fixed order; all of them for None."""
    if names is None:
        return MATCH
    wanted = {names} if isinstance(names, str) else set(names)
    if unknown := sorted(wanted - set(MATCH), key=str):
        known = f"match takes any of {', '.join(MATCH)}"
        message = f'unknown name "{unknown[0]}" in match'
        raise InvalidProfile(message, hint=did_you_mean(str(unknown[0]), MATCH) or known)
    if not wanted:
        raise InvalidProfile("match is empty, so every request would get the same responses")
    return tuple(name for name in MATCH if name in wanted)


def request_of(call: Call) -> dict[str, Any]:
    """Return the request of a call as it is recorded: plain data without secrets.

    That of an LM has the form of lm15, whichever DSPy sends it and however, if lm15 has words for
    it. Images and other binary data are replaced by their hash.
    """
    if call.kind == "lm" and call.request is None:
        request = _dspy.shape().request_of(call.legacy)
        if request is not None:
            return request_as_written(replace(call, request=request))
    return request_as_written(call)


def request_as_written(call: Call) -> dict[str, Any]:
    """Return the same in the form in which the LM gets it."""
    data: dict[str, Any]
    if call.kind == "embedder":
        data = {"model": call.model, "input": call.request, "config": _sent_arguments(call.legacy)}
    elif call.kind == "retriever":
        data = {"query": call.request, "config": dict(call.legacy)}
    elif call.request is not None:
        data = _dspy.shape().request_dict(call.request)
        if (config := data.get("config")) and config.get("extensions"):
            data["config"] = {**config, "extensions": _sent_arguments(config["extensions"])}
    else:
        data = {name: call.legacy.get(name) for name in ("model", "messages", "tools")}
        data["config"] = _sent_arguments(call.legacy)
    if call.rollout is not None:
        data["rollout_id"] = call.rollout
    request: dict[str, Any] = plain({k: v for k, v in data.items() if v is not None}, _clean)
    if isinstance(messages := request.get("messages"), list):
        _number_calls(messages)
    return request


def _number_calls(messages: list[Any]) -> None:
    """Replace the ids of tool calls, which are random, by their numbers."""
    numbers: dict[str, str] = {}
    for message in messages:
        if not isinstance(message, dict):
            continue
        calls = [part for part in message.get("parts") or () if _is_tools(part)]
        calls.extend(message.get("tool_calls") or ())
        for name, tables in (("id", calls), ("tool_call_id", [message])):
            for table in tables:
                if isinstance(table, dict) and name in table:
                    number = f"call {len(numbers) + 1}"
                    table[name] = numbers.setdefault(str(table[name]), number)


def _is_tools(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") in {"tool_call", "tool_result"}


def _sent_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in arguments.items()
        if value is not None and not _is_not_sent(name)
    }


@lru_cache(maxsize=1000)  # the names are few, and looked up for every call
def _is_not_sent(name: str) -> bool:
    """Return whether no model receives this argument, or it is a secret."""
    return name in OURS | APART | _dspy.shape().client_keys() or NAMES.is_secret(name)


def _clean(text: str) -> str:
    if len(text) > BINARY and (
        text.startswith("data:") or (" " not in text and BASE64.fullmatch(text))
    ):
        return f"sha256:{sha256(text.encode('utf-8', 'replace')).hexdigest()}"
    return redact(text)


def key_of(kind: str, request: Mapping[str, Any], match: tuple[str, ...] = MATCH) -> str:
    """Return a hash of the compared fields."""
    fields = [field for name in match for field in FIELDS[name] if field in request]
    compared = {"kind": kind, **{field: request[field] for field in fields}}
    return sha256(dumped(compared)).hexdigest()


def model_of(kind: str, request: Mapping[str, Any]) -> str:
    """Return the model's name, or "the embedder" and the like."""
    return str(request.get("model") or f"the {kind}")


def prompt_of(request: Mapping[str, Any]) -> str:
    """Return the whole prompt as one text."""
    texts = [f"{_text(request['system'])}\n"] if request.get("system") else []
    for message in request.get("messages") or ():
        if isinstance(message, Mapping):
            content = message.get("parts", message.get("content"))
            texts.append(f"[{message.get('role')}] {_text(content)}\n")
    texts.extend(_text(request[name]) for name in ("input", "query") if name in request)
    return "\n".join(texts)


def brief_of(request: Mapping[str, Any]) -> tuple[str, str]:
    """Return the beginnings of a request and of its last message: enough to sort by."""
    messages = request.get("messages")
    last = request.get("input", request.get("query"))
    if isinstance(messages, list) and messages and isinstance(messages[-1], Mapping):
        last = messages[-1].get("parts", messages[-1].get("content"))
    return prompt_of(request)[:100], _text(last)[:300]


def _text(content: Any) -> str:
    """Return the text of a message, in DSPy's form or in OpenAI's."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(map(_text, content))
    if isinstance(content, Mapping):
        if isinstance(text := content.get("text"), str):
            return text
        return dumped(content).decode()
    return "" if content is None else str(content)
