"""What conftests and other plugins keep off the cassettes of the tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from dspy_profiles.calls.cassettes import Filter

__all__ = ["filter_of"]

HOOKS = {"request": "pytest_dspy_filter_request", "response": "pytest_dspy_filter_response"}


def filter_of(node: Any) -> Filter | None:
    """All that speak for this test, or for the place of this fixture; None where nobody does."""
    asked = {what: _each(node, hook) for what, hook in HOOKS.items()}
    if not any(asked.values()):
        return None

    def keep(record: dict[str, Any]) -> dict[str, Any]:
        kind = record["kind"]
        what = "request" if "request" in record else "response"
        kept = record[what]
        for ask in asked[what]:
            for changed in ask(**{what: kept}, kind=kind, item=node):
                kept = _checked(changed, what)
        return {"kind": kind, what: kept}

    return keep


def _each(node: Any, name: str) -> Sequence[Any]:
    """One caller for each who implements it, in the order of pytest: the nearest conftest first."""
    hook = getattr(node.ihook, name)
    plugins = [each.plugin for each in reversed(hook.get_hookimpls())]
    of_all = node.config.pluginmanager
    others = [[other for other in of_all.get_plugins() if other is not one] for one in plugins]
    return [of_all.subset_hook_caller(name, rest) for rest in others]


def _checked(changed: object, what: str) -> dict[str, Any]:
    if not isinstance(changed, Mapping):
        raise TypeError(f"{HOOKS[what]} returned {type(changed).__name__}, and not a table")
    return dict(changed)
