"""Lead the calls of DSPy to its models along a route."""

from dspy_profiles._dspy import _other_doors
from dspy_profiles._dspy._call import Route
from dspy_profiles._dspy._shape import shape

__all__ = ["patch"]


def patch(route: Route) -> None:
    """Lead every call of an LM, embedder or retriever along the route. Once per process."""
    shape().patch(route)
    _other_doors.patch(route)
