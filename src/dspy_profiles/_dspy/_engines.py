"""DSPy 3.4: an engine serves each LM, and speaks lm15."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import dspy

from dspy_profiles._dspy._call import Route
from dspy_profiles._dspy._engines_patch import can_patch, patch
from dspy_profiles._dspy._plain import responses_in
from dspy_profiles._dspy._shape import Shape

__all__ = ["Here"]


class Here(Shape):
    """DSPy with `dspy.lm15` and engines."""

    has_engines: ClassVar = True
    errors: ClassVar = ("dspy.lm15", "dspy")

    def __init__(self) -> None:
        from dspy._vendor.lm15 import serde
        from dspy._vendor.lm15.result import materialize_response
        from dspy.clients.call_result import CallResult, usage_dict

        self.lm15 = dspy.lm15
        self.serde: Any = serde
        self._materialize: Any = materialize_response
        self._result: Any = CallResult
        self._usage: Any = usage_dict

    @classmethod
    def is_here(cls) -> bool:
        return hasattr(dspy, "lm15") and can_patch()

    def patch(self, route: Route) -> None:
        patch(route)

    def client_keys(self) -> frozenset[str]:
        from dspy.clients.backend_selection import CLIENT_KEYS

        return frozenset(CLIENT_KEYS)

    def lm_class(self, engine: Any, async_engine: Any) -> tuple[type, Mapping[str, Any]]:
        own = {} if async_engine is None else {"async_engine": async_engine}
        return dspy.LM, {"engine": engine, **own}

    def engine_of(self, lm: Any) -> Any:
        return getattr(lm, "_engine_spec", None)

    def is_dummy(self, part: object) -> bool:
        # No import: an engine of a module that is not loaded cannot be there.
        module = sys.modules.get("dspy.clients.engines.dummy_engine")
        kinds = (getattr(module, "DummyEngine", ()), getattr(module, "AsyncDummyEngine", ()))
        return isinstance(part, kinds)

    def usage_of(self, result: Any, provider: str | None) -> Mapping[str, Any]:
        usage = getattr(result, "usage", None)
        if isinstance(usage, self.lm15.Usage):
            return cast("Mapping[str, Any]", self._usage(result, provider))
        return usage if isinstance(usage, dict) else {}  # DSPy itself rejects what is no response

    def response_of(self, events: Sequence[Any], request: Any) -> Any:
        return self._materialize(iter(events), request)

    def is_result(self, value: object) -> bool:
        return isinstance(value, self._result)

    def result_dict(self, result: Any) -> dict[str, Any]:
        data: dict[str, Any] = result.dump()
        if not data["responses"]:
            made = responses_in(self.lm15, data["raw"], data["outputs"])
            data["responses"] = [self.response_dict(response) for response in made]
            data["is_raw"] = True
        return data

    def result_of(self, response: Any, lm: Any) -> Any:
        return self._result.native(response, model_type=getattr(lm, "model_type", "chat"))

    def result_from(self, data: dict[str, Any]) -> Any:
        if "outputs" not in data:  # recorded by a DSPy that has no engines
            return self.result_of(self.response_from(data["responses"][0]), None)
        if data.get("is_raw"):
            data = {**data, "responses": []}
        result = self._result.load(data)
        result.usage, result.cache_hit = data.get("usage") or {}, False  # not from a cache
        return result
