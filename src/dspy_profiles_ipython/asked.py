"""What a `%dspy_profile` line asks for, or what is wrong with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic_arguments import MagicArgumentParser

from dspy_profiles.assignments import nested
from dspy_profiles.errors import did_you_mean
from dspy_profiles_ipython.words import expanded, split

__all__ = ["OPTIONS", "Asked"]

OPTIONS = ("--cassette", "--cassettes", "--list", "--off", "--set", "--show")


@dataclass(frozen=True)
class Asked:
    """One line, read."""

    name: str | None
    overrides: Mapping[str, Any] = field(repr=False)
    option: str | None  # --list, --show or --off
    cassette: str | None = None  # a file, and the mode that it is used in
    mode: str | None = None

    @classmethod
    def of(cls, line: str, names: Mapping[str, Any], parser: MagicArgumentParser) -> "Asked":
        said, more = parser.parse_known_args(expanded(split(line), names))
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
        return cls(said.name, nested(said.set), option, said.cassette, said.cassettes)


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
