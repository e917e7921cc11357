"""Tab behind `%dspy_profile`: names of profiles, options, keys after `--set`; nothing else."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

from dspy_profiles.errors import ProfileError
from dspy_profiles_ipython.state import look
from dspy_profiles_ipython.words import WITH_VALUE, quoted, split

__all__ = ["Completion"]

BEHIND_THE_MAGIC = re.compile(r"^\s*(?P<mark>%{0,2})dspy_profile\s+(?P<words>.*)$", re.DOTALL)
LAST_WORD = re.compile(r"""(?:^|(?<=\s))(?:"[^"]*|'[^']*|\S*)$""")
OF_A_CELL = ("--cassette", "--cassettes", "--set")
OF_A_LINE = ("--list", "--off", "--set", "--show")
NOT_SET = ("extends", "description")  # keys of a profile that cannot be overridden


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
            found = BEHIND_THE_MAGIC.match(before)
            if found is None or not self._is_magic(found["mark"]):
                return {"completions": [], "suppress": False}
            last = LAST_WORD.search(found["words"])
            word = "" if last is None else last[0]
            earlier = found["words"].removesuffix(word)
            option, equals, value = word.partition("=")
            if equals and option in WITH_VALUE:
                earlier, word = f"{earlier}{option} ", value
            return {
                "completions": self._offered(earlier, word, is_cell=found["mark"] == "%%"),
                "suppress": True,
                "matched_fragment": word,
                "ordered": True,
            }

        return dspy_profiles_matcher

    def _is_magic(self, mark: str) -> bool:
        """Without a mark it is one as long as nobody has a variable of that name."""
        is_auto = self._shell.automagic and "dspy_profile" not in self._shell.user_ns
        return bool(mark or is_auto)

    def _offered(self, earlier: str, word: str, *, is_cell: bool) -> list[SimpleCompletion]:
        try:
            look()
            kind, texts = _texts(split(earlier), word, is_cell=is_cell)
        except ProfileError:  # a broken file is told by the magic itself
            kind, texts = "", ()
        begun = word.lstrip("\"'") if word[:1] in ("'", '"') else word
        found = (t for t in texts if t.lstrip('"').startswith(begun) and t != word)
        return Alone(SimpleCompletion(text, type=kind) for text in found)


class Alone(list[SimpleCompletion]):
    """What we offer. Nothing is something, too: IPython would ask others, for files and names."""

    def __len__(self) -> int:
        return max(1, super().__len__())


def _texts(earlier: list[str], word: str, *, is_cell: bool) -> tuple[str, Iterable[str]]:
    """What may stand here, and what it is."""
    if earlier[-1:] == ["--set"]:
        from dspy_profiles import dspy_api

        return "key", (f"{key}=" for key in dspy_api.every_key() if key not in NOT_SET)
    if earlier[-1:] == ["--cassette"]:
        return "path", map(quoted, _cassettes(word.lstrip("\"'")))
    if earlier[-1:] == ["--cassettes"]:
        from dspy_profiles.cassettes.modes import MODES

        return "mode", MODES
    if word.startswith("-"):
        return "option", OF_A_CELL if is_cell else OF_A_LINE
    if _has_name(earlier):
        return "", ()
    from dspy_profiles.resolver import list_profiles

    return "profile", map(quoted, list_profiles())


def _cassettes(begun: str) -> list[str]:
    """Files that may be one, and folders, as they are typed."""
    folder = os.path.dirname(begun)  # noqa: PTH120 - with what was typed, to its last slash
    try:
        there = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    names = [f"{path.name}/" for path in there if path.is_dir() and not path.name.startswith(".")]
    names += [path.name for path in there if path.suffix == ".jsonl" and path.is_file()]
    return [os.path.join(folder, name) for name in names]  # noqa: PTH118 - as above


def _has_name(words: list[str]) -> bool:
    """Whether a name stands there already, or none may."""
    follows = ["", *words]
    names = [
        w
        for before, w in zip(follows, words, strict=False)
        if before not in WITH_VALUE and not w.startswith("-")
    ]
    return bool(names) or bool({"--list", "--off"} & set(words))
