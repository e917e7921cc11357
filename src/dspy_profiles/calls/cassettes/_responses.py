"""Responses as data, and back.

A response is one of: `response` (lm15), `events` (of a stream), `result` (of an engine that takes
no lm15 requests, with the `chunks` that it has sent itself), `embeddings`, `passages`; or an
`error`, after the `events` or `chunks` of the stream. Data that differs each time is left out: ids,
times, and a provider's own data except the service tier, which the price depends on.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dspy_profiles import _dspy
from dspy_profiles._dspy import Call
from dspy_profiles.calls._stage import Answer
from dspy_profiles.calls.cassettes._errors import error_dict, error_from
from dspy_profiles.calls.cassettes._json import plain
from dspy_profiles.calls.cassettes._streams import (
    chunks_from,
    mend,
    mend_logprobs,
    one_chunk,
    pack,
    pack_chunks,
    unpack,
)
from dspy_profiles.secrets import redact

__all__ = ["FORMS", "answer_from", "answered", "failed"]

FORMS = ("response", "events", "result", "embeddings", "passages", "error")
TIERS = ("service_tier", "usageMetadata")  # OpenAI's, and Gemini's
PASSING = frozenset({"id", "created", "created_at", "completed_at", "system_fingerprint"})

Record = dict[str, Any]


def answered(call: Call, answer: Answer) -> Record | None:
    """Return the answer as plain data, without secrets; None if no engine should return it."""
    record: Record
    if call.kind == "embedder":
        record = {"embeddings": [list(row) for row in _rows(answer.result)]}
    elif call.kind == "retriever":
        record = {"passages": answer.result}
    elif _dspy.shape().is_result(answer.result):
        record = {"result": _result(_dspy.shape().result_dict(answer.result))}
        if answer.events is not None:
            record["chunks"] = pack_chunks(answer.events, redact)
    elif answer.events is not None:
        record = {"events": _events(answer.events)}
    elif _dspy.shape().is_response(answer.result):
        record = {"response": _response(_dspy.shape().response_dict(answer.result))}
    else:
        return None
    data: Record = plain(record, redact)
    return data


def failed(call: Call, error: Exception | None) -> Record | None:
    """Return the same for an error or a stream without an end; None if it cannot be replayed."""
    record: Record = {}
    if call.request is None and call.events:
        record["chunks"] = pack_chunks(call.events, redact)
    elif call.request is not None and call.streamed:
        record["events"] = _events(call.events)
    if error is not None:
        is_lm = call.kind == "lm" and call.request is not None
        fields = error_dict(_dspy.shape().as_of_lm15(error) if is_lm else error)
        if fields is None:
            return None
        record["error"] = fields
    data: Record = plain(record, redact)
    return data


def answer_from(call: Call, record: Mapping[str, Any], *, replayed: bool = True) -> Answer:
    """Return the recorded answer in the form that this call needs. Raises if there is none."""
    error = error_from(record["error"], replayed=replayed) if "error" in record else None
    if call.kind == "embedder":
        return Answer(record.get("embeddings"), error=error)
    if call.kind == "retriever":
        return Answer(record.get("passages"), error=error)
    if call.request is None and (result := _result_for(call, record)) is not None:
        usage = _dspy.shape().usage_of(result, call.provider)
        return Answer(result, _chunks(call, record, result), usage=usage)
    if "result" in record:
        record = {**record, "response": record["result"]["responses"][0]}
    if "response" in record:
        response = _dspy.shape().response_from(record["response"])
        usage = _dspy.shape().usage_of(response, call.provider)
        if call.streamed:
            return Answer(events=_dspy.shape().events_of(response), usage=usage)
        return Answer(response, usage=usage)
    if "events" not in record:
        if error is None:
            raise ValueError("it contains no answer")
        return Answer(events=_chunks(call, record, None), error=error)
    events = [_dspy.shape().event_from(event) for event in unpack(record["events"])]
    return _of_events(call, events, error)


def _result_for(call: Call, record: Mapping[str, Any]) -> Any:
    """Return the answer for an LM that takes no request of lm15, from any form that has one."""
    shape = _dspy.shape()
    if "result" in record:
        return shape.result_from(record["result"])
    if "response" in record:
        return shape.result_of(shape.response_from(record["response"]), call.lm)
    if "events" in record and "error" not in record:
        events = [shape.event_from(event) for event in unpack(record["events"])]
        request = shape.request_of(call.legacy)
        return shape.result_of(shape.response_of(events, request), call.lm)
    return None


def _of_events(call: Call, events: Sequence[Any], error: Exception | None) -> Answer:
    usage: Mapping[str, Any] = {}
    if events and events[-1].type == "end" and events[-1].usage is not None:
        usage = _dspy.shape().usage_of(events[-1], call.provider)
    if call.streamed:
        return Answer(events=events, error=error, usage=usage)
    if error is not None:
        return Answer(error=error)
    try:
        return Answer(_dspy.shape().response_of(events, call.request), usage=usage)
    except Exception as broken:  # noqa: BLE001 - the stream was recorded with its defects
        return Answer(error=broken)


def _chunks(call: Call, record: Mapping[str, Any], result: Any) -> Sequence[Any] | None:
    """Return the chunks for the reader of a stream, if DSPy itself reads no events."""
    if not call.streamed:
        return None
    if "chunks" in record or result is None:
        return list(chunks_from(record.get("chunks", ())))
    return one_chunk(result) if _dspy.sends_chunks(call.lm) else ()


def _rows(embeddings: Any) -> Any:
    return embeddings.tolist() if hasattr(embeddings, "tolist") else embeddings


def _response(data: Record) -> Record:
    data.pop("id", None)
    _keep_tier(data)
    mend_logprobs(data, redact)
    return data


def _events(events: Sequence[Any]) -> list[Record]:
    dicts = [_dspy.shape().event_dict(event) for event in events]
    for data in dicts:
        if data["type"] == "start":
            data.pop("id", None)
        _keep_tier(data)
    return pack(mend(dicts, redact))


def _result(data: Record) -> Record:
    data["responses"] = [_response(response) for response in data["responses"]]
    if isinstance(raw := data.get("raw"), dict):
        data["raw"] = {key: value for key, value in raw.items() if key not in PASSING}
    data["cost_details"] = data.get("cost_details") or {}
    return data


def _keep_tier(data: Record) -> None:
    extra = data.pop("provider_data", None)
    kept = {}
    if isinstance(extra, Mapping):
        kept = {name: extra[name] for name in TIERS if name in extra}
        if isinstance(usage := kept.get("usageMetadata"), Mapping):
            kept["usageMetadata"] = {k: v for k, v in usage.items() if k == "serviceTier"}
    if kept := {name: value for name, value in kept.items() if value}:
        data["provider_data"] = kept
