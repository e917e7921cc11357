"""DSPy 3.0 to 3.3: an LM calls LiteLLM itself, and speaks OpenAI's chat completions."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

import dspy

from dspy_profiles._dspy._call import Route
from dspy_profiles._dspy._names import doors
from dspy_profiles._dspy._plain import body_of, responses_in
from dspy_profiles._dspy._shape import Shape
from dspy_profiles.profiles import CLIENT_KEYS

__all__ = ["Here"]


class Here(Shape):
    """DSPy whose `dspy.clients.lm` calls LiteLLM."""

    def __init__(self) -> None:
        self.lm15 = import_module("lm15")
        self.serde = import_module("lm15.serde")
        self._data: Any = import_module("dspy_profiles._dspy._legacy_data")
        self._errors: Any = import_module("dspy_profiles._dspy._legacy_errors")
        self._lm: Any = import_module("dspy_profiles._dspy._legacy_lm")
        self._patch: Any = import_module("dspy_profiles._dspy._legacy_patch")

    @classmethod
    def is_here(cls) -> bool:
        from dspy_profiles._dspy._legacy_patch import COMPLETIONS, LM

        return doors(LM, *COMPLETIONS) is not None

    def patch(self, route: Route) -> None:
        self._patch.patch(route)

    def client_keys(self) -> frozenset[str]:
        return CLIENT_KEYS

    def lm_class(self, engine: Any, async_engine: Any) -> tuple[type, Mapping[str, Any]]:
        return self._lm.EngineLM, {"engine": engine, "async_engine": async_engine}

    def engine_of(self, lm: Any) -> Any:
        return getattr(lm, "engine", None)

    def is_dummy(self, part: object) -> bool:
        return isinstance(part, dspy.utils.DummyLM)

    def usage_of(self, result: Any, provider: str | None) -> Mapping[str, Any]:  # noqa: ARG002
        usage = getattr(result, "usage", None)
        if isinstance(usage, self.lm15.Usage):
            return cast("Mapping[str, Any]", self._data.usage_of(usage))
        counted = body_of(usage)
        return counted if isinstance(counted, dict) else {}

    def as_of_lm15(self, error: Exception) -> Exception:
        made: Exception = self._errors.as_of_lm15(error)
        return made

    def response_of(self, events: Sequence[Any], request: Any) -> Any:
        return self._data.materialized(events, request)

    def is_result(self, value: object) -> bool:
        return value is not None and not self.is_response(value)

    def result_dict(self, result: Any) -> dict[str, Any]:
        body = body_of(result)
        texts = body if isinstance(body, list) else _texts_of(body)
        hidden = getattr(result, "_hidden_params", None) or {}
        return {
            "responses": [self.response_dict(r) for r in responses_in(self.lm15, body, texts)],
            "raw": body,
            "usage": dict(self.usage_of(result, None)),
            "cost": hidden.get("response_cost"),
            "response_model": getattr(result, "model", None),
        }

    def result_of(self, response: Any, lm: Any) -> Any:  # noqa: ARG002 - chats are all it has
        return self._data.completion_of(response)

    def result_from(self, data: dict[str, Any]) -> Any:
        raw = data["raw"]
        if raw is None:  # recorded by a DSPy with engines
            return self._data.completion_of(*map(self.response_from, data["responses"]))
        return raw if isinstance(raw, list) else self._data.completion_from(raw)


def _texts_of(body: Any) -> list[str]:
    """Return the texts of a completion that is no chat."""
    choices = body.get("choices") or () if isinstance(body, Mapping) else ()
    return [str(choice.get("text") or "") for choice in choices]
