"""What is asked for behind `%dspy_profile` or `%%dspy_profile`, or what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from IPython.core.error import UsageError
from IPython.core.getipython import get_ipython

from dspy_profiles.config import join_key
from dspy_profiles.errors import InvalidProfile, did_you_mean
from dspy_profiles.profiles import SECTIONS, assignment, nested
from dspy_profiles_ipython import _arguments
from dspy_profiles_ipython._errors import CELL
from dspy_profiles_ipython._words import typed

__all__ = ["MagicArguments"]

OPTIONS = ("--cassette", "--cassettes", "--list", "--off", "--set", "--show")


@dataclass(frozen=True)
class MagicArguments:
    """One line, read."""

    name: str | None
    overrides: Mapping[str, Any] = field(repr=False)
    option: str | None  # --list, --show or --off
    cassette: str | None = None  # a file, and the mode that it is used in
    mode: str | None = None

    @classmethod
    def of_a_line(cls, line: str, names: Mapping[str, Any]) -> "MagicArguments":
        said, more = _arguments.of_profile().parse_known_args(typed(line, names))
        if more:
            raise _too_much(more)
        options = [name for name in ("list", "show", "off") if getattr(said, name)]
        if len(options) > 1:
            raise UsageError(" and ".join(f"--{name}" for name in options) + " exclude each other")
        option = options[0] if options else None
        if option in ("list", "off") and (said.name is not None or said.set):
            raise UsageError(f"--{option} stands alone: %dspy_profile --{option}")
        if said.name == "":
            raise UsageError("the name of the profile is empty")
        if said.cassettes is not None and said.cassette is None:
            raise UsageError("--cassettes needs a --cassette FILE")
        overrides = nested(said.set)
        _check_sections(said.set, overrides)
        return cls(said.name, overrides, option, said.cassette, said.cassettes)

    @classmethod
    def of_a_cell(cls, line: str) -> "MagicArguments":
        """A name, overrides, a cassette: no more may stand behind `%%dspy_profile`."""
        shell = get_ipython()
        asked = cls.of_a_line(line, {} if shell is None else shell.user_ns)
        if asked.option is not None:
            option = f"--{asked.option} goes with %dspy_profile"
            raise UsageError(f"{CELL} takes NAME, --set and --cassette; {option}")
        if asked.name is None:
            from dspy_profiles.profiles import list_profiles

            hint = f"one of {', '.join(list_profiles())}"
            raise UsageError(f"{CELL} needs the name of a profile\n  hint: {hint}")
        return asked


def _check_sections(typed: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """What begins with no section may have been meant to be within one."""
    for section in overrides:
        if section in SECTIONS or did_you_mean(section, SECTIONS):
            continue
        key = next(join_key(key) for key, _ in map(assignment, typed) if key[0] == section)
        hint = f"write --set lm.{key}=…, or --set settings.{key}=…"
        raise InvalidProfile(f'"{section}" is not a section of a profile', hint)


def _too_much(words: Sequence[str]) -> UsageError:
    """Of words out of place only what looks like an option is repeated: they may be secrets."""
    option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
    if option is None:
        return UsageError(
            "%dspy_profile takes one name\n"
            "  hint: values go behind --set, as in --set lm.temperature=0; "
            "a name with spaces stands in quotes"
        )
    hint = did_you_mean(option, OPTIONS) or f"its options are {', '.join(OPTIONS)}"
    return UsageError(f"%dspy_profile has no option {option}\n  hint: {hint}")
