"""Built-in engines, and an adapter that lets any engine serve asynchronous calls."""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.objects.engines._offline import OfflineEngine as OfflineEngine
else:
    __getattr__, __dir__, __all__ = attach(
        __name__,
        {
            "_offline": "OfflineEngine",
        },
    )
