"""Tab behind `%dspy_profile`: names of profiles, options, keys after `--set`; nothing else."""

import re
from collections.abc import Iterable
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

from dspy_profiles.errors import ProfileError

__all__ = ["Completion"]

BEHIND_THE_MAGIC = re.compile(r"^\s*%{1,2}dspy_profile\s+(?P<words>.*)$", re.DOTALL)
OPTIONS = ("--list", "--off", "--set", "--show")


class Completion:
    """Our matcher among those of the shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._matcher = _matcher()

    def enter(self) -> None:
        self._of_shell().append(self._matcher)

    def leave(self) -> None:
        matchers = self._of_shell()
        if self._matcher in matchers:
            matchers.remove(self._matcher)

    def _of_shell(self) -> list[Any]:
        completer: Any = self._shell.Completer
        found: list[Any] = completer.custom_matchers
        return found


def _matcher() -> Any:
    @context_matcher(identifier="dspy_profiles", priority=1000)
    def dspy_profiles_matcher(context: CompletionContext) -> SimpleMatcherResult:
        before = context.line_with_cursor[: context.cursor_position]
        found = BEHIND_THE_MAGIC.match(before)
        if found is None:
            return {"completions": [], "suppress": False}
        *earlier, word = re.split(r"\s+", found["words"])
        try:
            offered = [SimpleCompletion(text) for text in _offered(earlier, word)]
        except ProfileError:  # a broken file is told by the magic itself
            offered = []
        return {
            "completions": offered,
            "suppress": True,
            "matched_fragment": word,
            "ordered": True,
        }

    return dspy_profiles_matcher


def _offered(earlier: list[str], word: str) -> list[str]:
    return [text for text in _all(earlier, word) if text.startswith(word)]


def _all(earlier: list[str], word: str) -> Iterable[str]:
    if earlier[-1:] == ["--set"]:
        from dspy_profiles import dspy_api

        return (f"{key}=" for key in dspy_api.every_key())
    if word.startswith("-"):
        return OPTIONS
    from dspy_profiles.resolver import list_profiles

    return list_profiles()
