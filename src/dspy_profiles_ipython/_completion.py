"""Tab behind the magics: what is meant there, and nothing else."""

import re
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

__all__ = ["Completion"]

MARKS = {  # with which each is a magic; without one it is an automagic
    "profile": ("", "%", "%%"),
    "record": ("%%",),
    "results": ("", "%"),
    "trace": ("", "%"),
}
BEHIND_A_MAGIC = re.compile(
    rf"^\s*(?P<mark>%{{0,2}})dspy_(?P<magic>{'|'.join(MARKS)})\s+(?P<words>.*)$", re.DOTALL
)


class Completion:
    """Our matcher among those of the shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._matcher = self._made()

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

    def _made(self) -> Any:
        @context_matcher(identifier="dspy_profiles", priority=1000)
        def dspy_profiles_matcher(context: CompletionContext) -> SimpleMatcherResult:
            before = context.line_with_cursor[: context.cursor_position]
            found = BEHIND_A_MAGIC.match(before)
            if found is None or not self._is_magic(found["mark"], found["magic"]):
                return {"completions": [], "suppress": False}
            from dspy_profiles_ipython._offers import offer

            magic, is_cell = found["magic"], found["mark"] == "%%"
            word, kind, texts = offer(magic, found["words"], is_cell=is_cell)
            return {
                "completions": Alone(SimpleCompletion(text, type=kind) for text in texts),
                "suppress": True,
                "matched_fragment": word,
                "ordered": True,
            }

        return dspy_profiles_matcher

    def _is_magic(self, mark: str, magic: str) -> bool:
        """Without a mark it is one as long as nobody has a variable of that name."""
        is_auto = self._shell.automagic and f"dspy_{magic}" not in self._shell.user_ns
        return mark in MARKS[magic] and bool(mark or is_auto)


class Alone(list[SimpleCompletion]):
    """What we offer. Nothing is something, too: IPython would ask others, for files and names."""

    def __len__(self) -> int:
        return max(1, super().__len__())
