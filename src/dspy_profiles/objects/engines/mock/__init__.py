"""The engine behind the profile `mock`: typed answers for every signature, offline."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.objects.engines.mock._engine import MockEngine as MockEngine
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_engine": "MockEngine",
        },
    )
