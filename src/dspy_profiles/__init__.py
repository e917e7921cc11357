"""Named configuration profiles for DSPy: in tests, notebooks and the terminal.

Each name is loaded when it is first used, so that importing this package costs next to nothing.
"""

from dspy_profiles._lazy import attach

TYPE_CHECKING = False  # `typing` would cost as much as all the rest
if TYPE_CHECKING:
    from dspy_profiles.activation import Configured as Configured
    from dspy_profiles.activation import bind as bind
    from dspy_profiles.activation import configure as configure
    from dspy_profiles.activation import current_profile as current_profile
    from dspy_profiles.activation import embedder as embedder
    from dspy_profiles.activation import lm as lm
    from dspy_profiles.activation import profile as profile
    from dspy_profiles.activation import with_profile as with_profile
    from dspy_profiles.errors import ProfileError as ProfileError
    from dspy_profiles.errors import ProfileWarning as ProfileWarning
    from dspy_profiles.profiles import Origin as Origin
    from dspy_profiles.profiles import ResolvedProfile as ResolvedProfile
    from dspy_profiles.profiles import list_profiles as list_profiles
    from dspy_profiles.profiles import resolve as resolve

    __version__: str
else:
    _load, _, __all__ = attach(
        __name__,
        {
            "activation": (
                "Configured bind configure current_profile embedder lm profile with_profile"
            ),
            "errors": "ProfileError ProfileWarning",
            "profiles": "Origin ResolvedProfile list_profiles resolve",
        },
    )

    __all__ += ["__version__"]

    def __getattr__(name: str) -> object:
        if name != "__version__":
            return _load(name)
        from importlib.metadata import version

        return version("dspy-profiles")

    def __dir__() -> list[str]:
        return sorted(__all__)
