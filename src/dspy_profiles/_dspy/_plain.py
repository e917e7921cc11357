"""Requests in one form, whichever DSPy writes them: that of lm15. And objects as plain data."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from dspy_profiles.profiles import CLIENT_KEYS

__all__ = ["bare_request_of", "body_of", "request_of", "responses_in"]

UNNAMED = "model"  # of an LM that does not say which one it is
# Arguments of DSPy itself. `n` is not among them: such a request stays as DSPy writes it.
OURS = frozenset({"cache", "rollout_id", "num_retries", "caching"})


def request_of(lm15: Any, legacy: Mapping[str, Any]) -> Any:
    """Return the lm15 request of the arguments of a call, or None if lm15 has no words for it."""
    body = {
        key: value
        for key, value in legacy.items()
        if value is not None and key not in OURS | CLIENT_KEYS
    }
    if body.get("n") == 1:
        del body["n"]
    wanted = body.get("response_format")
    try:
        if hasattr(wanted, "model_json_schema"):
            body["response_format"] = _json_schema(wanted)
        return lm15.request_from_openai_chat(body)
    except (lm15.LM15Error, TypeError, ValueError):
        return None


def bare_request_of(lm15: Any, legacy: Mapping[str, Any]) -> Any:
    """Return the lm15 request with the messages alone; as text, if lm15 has no words for them."""
    bare = {"model": legacy["model"], "messages": legacy["messages"]}
    if (request := request_of(lm15, bare)) is not None:
        return request
    texts = [json.dumps(body_of(message), ensure_ascii=False) for message in legacy["messages"]]
    bare["messages"] = [{"role": "user", "content": "\n".join(texts)}]
    return request_of(lm15, bare)


def _json_schema(model: Any) -> dict[str, Any]:
    schema = {"name": model.__name__, "schema": model.model_json_schema(), "strict": True}
    return {"type": "json_schema", "json_schema": schema}


def body_of(completion: Any) -> Any:
    """Return a completion, or any other answer of an LM, as plain data."""
    if hasattr(completion, "model_dump"):
        return completion.model_dump(warnings=False)
    if isinstance(completion, Mapping):
        return {key: body_of(value) for key, value in completion.items()}
    if isinstance(completion, list | tuple):
        return [body_of(value) for value in completion]
    if isinstance(completion, str | int | float | bool | None):
        return completion
    fields = getattr(completion, "__dict__", None)
    return str(completion) if fields is None else body_of(fields)


def responses_in(lm15: Any, body: Any, outputs: Any = None) -> list[Any]:
    """Return the lm15 responses of what an LM has got: a chat, or else its outputs."""
    fields: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    model = str(fields.get("model") or UNNAMED)
    choices = fields.get("choices") or ()
    try:
        if choices and "message" in choices[0]:
            read = partial(lm15.response_from_openai_chat, body, model=model)
            return [read(choice=place) for place in range(len(choices))]
    except (lm15.LM15Error, TypeError, ValueError):
        pass
    said = (output if isinstance(output, Mapping) else {"text": output} for output in outputs or ())
    return [
        lm15.Response(
            model=model,
            message=lm15.Message(role="assistant", parts=tuple(_parts(lm15, output))),
            finish_reason="stop",
        )
        for output in said
    ]


def _parts(lm15: Any, output: Mapping[str, Any]) -> Iterator[Any]:
    if thinking := output.get("reasoning_content"):
        yield lm15.ThinkingPart(thinking)
    yield lm15.TextPart(output.get("text") or "")
