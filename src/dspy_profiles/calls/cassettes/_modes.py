"""The modes of a cassette: whether it is recorded, replayed, or both."""

from typing import Literal, cast, get_args

from dspy_profiles.errors import InvalidProfile, did_you_mean

__all__ = ["MODES", "Mode", "checked_mode"]

# off: ignore the cassette. none: replay only. once: record if the file does not exist, otherwise
# replay only. new: replay, and record misses. all: record everything again.
Mode = Literal["off", "none", "once", "new", "all"]
MODES: tuple[str, ...] = get_args(Mode)


def checked_mode(name: str) -> Mode:
    """Return the mode of this name. Raises an error that lists all of them."""
    if name not in MODES:
        known = f"modes are {', '.join(MODES)}"
        message = f'unknown cassette mode "{name}"'
        raise InvalidProfile(message, hint=did_you_mean(name, MODES) or known)
    return cast("Mode", name)
