"""What a cassette is for: to be recorded, to be replayed, or both."""

from typing import Literal, cast, get_args

from dspy_profiles.errors import InvalidProfile, did_you_mean

__all__ = ["MODES", "Mode", "checked_mode"]

# off: as if it were not there. none: replay only. once: record if the file is absent, else replay
# only. new: replay what is there, record what is not. all: record afresh.
Mode = Literal["off", "none", "once", "new", "all"]
MODES: tuple[str, ...] = get_args(Mode)


def checked_mode(name: str) -> Mode:
    """The mode of that name; an error that lists all of them where there is none."""
    if name not in MODES:
        known = f"the modes are {', '.join(MODES)}"
        message = f'there is no cassette mode "{name}"'
        raise InvalidProfile(message, hint=did_you_mean(name, MODES) or known)
    return cast("Mode", name)
