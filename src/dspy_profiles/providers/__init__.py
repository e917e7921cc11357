"""Engines that come with the package, and what lets any engine serve async and streaming calls.

`ProfileProvider` is the type of a class that makes the settings of a whole profile.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dspy_profiles.provider_kinds import ProfileProvider

__all__ = ["ProfileProvider"]


def __getattr__(name: str) -> object:
    if name != "ProfileProvider":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dspy_profiles.provider_kinds import ProfileProvider  # imports DSPy

    return ProfileProvider
