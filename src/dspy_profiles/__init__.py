"""Named configuration profiles for DSPy: in tests, notebooks and the terminal.

Each name is loaded when it is first used, so that importing this package costs next to nothing.
"""

from importlib import import_module

TYPE_CHECKING = False  # `typing` would cost as much as all the rest
if TYPE_CHECKING:
    from dspy_profiles.activation import (
        Configured,
        bind,
        configure,
        current_profile,
        embedder,
        lm,
        profile,
        with_profile,
    )
    from dspy_profiles.errors import ProfileError, ProfileWarning
    from dspy_profiles.resolved import Origin, ResolvedProfile
    from dspy_profiles.resolver import list_profiles, resolve

    __version__: str

__all__ = [
    "Configured",
    "Origin",
    "ProfileError",
    "ProfileWarning",
    "ResolvedProfile",
    "__version__",
    "bind",
    "configure",
    "current_profile",
    "embedder",
    "list_profiles",
    "lm",
    "profile",
    "resolve",
    "with_profile",
]

_HOMES = {
    "Origin": "resolved",
    "ProfileError": "errors",
    "ProfileWarning": "errors",
    "ResolvedProfile": "resolved",
    "list_profiles": "resolver",
    "resolve": "resolver",
}


if not TYPE_CHECKING:  # a type checker is not to take every misspelt name for one of ours

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            value: object = version("dspy-profiles")
        elif name in __all__:
            value = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'activation')}"), name)
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
