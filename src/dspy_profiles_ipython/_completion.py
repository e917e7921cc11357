"""Tab completion of the magics' options, names, keys, files and modes."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple

from IPython.core.completer import (
    CompletionContext,
    SimpleCompletion,
    SimpleMatcherResult,
    context_matcher,
)
from IPython.core.interactiveshell import InteractiveShell

from dspy_profiles_ipython._state import look

__all__ = ["OPTIONS", "Completion", "Completions", "complete"]

MARKS = {  # the prefixes of each magic; without one it is an automagic
    "profile": ("", "%", "%%"),
    "record": ("%%",),
    "results": ("", "%"),
    "trace": ("", "%"),
}
AFTER_MAGIC = re.compile(
    rf"^\s*(?P<mark>%{{0,2}})dspy_(?P<magic>{'|'.join(MARKS)})\s+(?P<words>.*)$", re.DOTALL
)
LAST_WORD = re.compile(r"""(?:^|(?<=\s))(?:"[^"]*|'[^']*|\S*)$""")
CELL_OPTIONS = ("--cassette", "--cassettes", "--set")
LINE_OPTIONS = ("--list", "--off", "--set", "--show")
NOT_SET = ("extends", "description")  # keys that cannot be overridden
OPTIONS = {
    "record": ("--as", "--hypothesis", "--store"),
    "results": ("--limit", "--profile", "--status", "--store"),
    "trace": ("--full", "--html", "--store", "--yes"),
}
MOST = 50  # experiments or trials in completions
PATIENCE = 2.0  # seconds for a store to answer, while the user waits


class Completion:
    """The matcher of dspy-profiles in a shell."""

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._matcher = self._create()

    def enter(self) -> None:
        self._matchers().append(self._matcher)

    def leave(self) -> None:
        matchers = self._matchers()
        if self._matcher in matchers:
            matchers.remove(self._matcher)

    def _matchers(self) -> list[Any]:
        completer: Any = self._shell.Completer
        matchers: list[Any] = completer.custom_matchers
        return matchers

    def _create(self) -> Any:
        @context_matcher(identifier="dspy_profiles", priority=1000)
        def dspy_profiles_matcher(context: CompletionContext) -> SimpleMatcherResult:
            before = context.line_with_cursor[: context.cursor_position]
            match = AFTER_MAGIC.match(before)
            if match is None or not self._is_magic(match["mark"], match["magic"]):
                return {"completions": [], "suppress": False}
            magic, is_cell = match["magic"], match["mark"] == "%%"
            word, kind, texts = complete(magic, match["words"], is_cell=is_cell)
            return {
                "completions": NonEmpty(SimpleCompletion(text, type=kind) for text in texts),
                "suppress": True,
                "matched_fragment": word,
                "ordered": True,
            }

        return dspy_profiles_matcher

    def _is_magic(self, mark: str, magic: str) -> bool:
        """Return whether this is a magic: without a mark, only if no variable has its name."""
        is_auto = self._shell.automagic and f"dspy_{magic}" not in self._shell.user_ns
        return mark in MARKS[magic] and bool(mark or is_auto)


class NonEmpty(list[SimpleCompletion]):
    """Completions that are true even if empty: otherwise IPython adds files and names."""

    def __len__(self) -> int:
        return max(1, super().__len__())


class Completions(NamedTuple):
    """The word before the cursor, and its possible replacements, all of one kind."""

    word: str
    kind: str
    texts: list[str]


def complete(magic: str, words: str, *, is_cell: bool) -> Completions:
    """Return the completions at the end of these words."""
    from dspy_profiles_ipython._arguments import WITH_VALUE, tokenize

    last = LAST_WORD.search(words)
    word = "" if last is None else last[0]
    earlier = words.removesuffix(word)
    option, equals, value = word.partition("=")
    if equals and option in WITH_VALUE:
        earlier, word = f"{earlier}{option} ", value
    begun = word.lstrip("\"'") if word[:1] in ("'", '"') else word
    try:
        look()
        if magic == "profile":
            kind, texts = _profile_texts(tokenize(earlier), word, is_cell=is_cell)
        else:
            kind, texts = _record_texts(magic, tokenize(earlier), word)
        matching = [t for t in texts if t.lstrip('"').startswith(begun) and t != word]
    except Exception:  # noqa: BLE001 - the magic itself reports a broken file
        kind, matching = "", []
    return Completions(word, kind, matching)


def _profile_texts(earlier: list[str], word: str, *, is_cell: bool) -> tuple[str, Iterable[str]]:
    """Return kind and texts for `dspy_profile`."""
    from dspy_profiles_ipython._arguments import typed

    if earlier[-1:] == ["--set"]:
        from dspy_profiles import schema

        return "key", (f"{key}=" for key in schema.every_key() if key not in NOT_SET)
    if earlier[-1:] == ["--cassette"]:
        return "path", typed(_cassettes(word.lstrip("\"'")))
    if earlier[-1:] == ["--cassettes"]:
        from dspy_profiles.calls.cassettes import MODES

        return "mode", MODES
    if word.startswith("-"):
        return "option", CELL_OPTIONS if is_cell else LINE_OPTIONS
    if _has_name(earlier):
        return "", ()
    from dspy_profiles.profiles import list_profiles

    return "profile", typed(list_profiles())


def _cassettes(begun: str) -> list[str]:
    """Return possible cassettes, and folders, as they are typed."""
    folder = os.path.dirname(begun)  # noqa: PTH120 - the typed text to its last slash
    try:
        there = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    names = [f"{path.name}/" for path in there if path.is_dir() and not path.name.startswith(".")]
    names += [path.name for path in there if path.suffix == ".jsonl" and path.is_file()]
    return [os.path.join(folder, name) for name in names]  # noqa: PTH118 - as above


def _has_name(words: list[str]) -> bool:
    """Return whether there is a name already, or none is allowed."""
    from dspy_profiles_ipython._arguments import WITH_VALUE

    follows = ["", *words]
    names = [
        w
        for before, w in zip(follows, words, strict=False)
        if before not in WITH_VALUE and not w.startswith("-")
    ]
    return bool(names) or bool({"--list", "--off"} & set(words))


def _record_texts(magic: str, earlier: list[str], word: str) -> tuple[str, Iterable[str]]:
    """Return kind and texts for the magics about results."""
    from dspy_profiles_ipython._arguments import WITH_VALUE, typed

    before = earlier[-1] if earlier else ""
    if before == "--status":
        from dspy_profiles.results.store import STATUSES

        return "status", STATUSES
    if before == "--profile":
        from dspy_profiles.profiles import list_profiles

        return "profile", typed(list_profiles())
    if before in WITH_VALUE:
        return "", ()
    if word.startswith("-"):
        return "option", OPTIONS[magic]
    if magic != "trace":  # a new name, or a word to search for
        return "", ()
    store, names = _store_and_names(earlier)
    match names:
        case []:
            return "experiment", _in_time(lambda: _experiments(store))
        case [name]:
            return "trial", _in_time(lambda: _trials(store, name, word))
    return "", ()


def _store_and_names(words: list[str]) -> tuple[str | None, list[str]]:
    """Return the store, and the words that are neither options nor their values."""
    from dspy_profiles_ipython._arguments import WITH_VALUE

    names, store, before = list[str](), None, ""
    for word in words:
        if before == "--store":
            store = word
        if before not in WITH_VALUE and not word.startswith("-"):
            names.append(word)
        before = word
    return store, names


def _experiments(url: str | None) -> list[str]:
    from dspy_profiles.results.store import open_inside
    from dspy_profiles_ipython._arguments import typed

    with open_inside(url) as store:
        experiments = store.query_experiments(limit=MOST)
    count = Counter(one.name for one in experiments)
    names = typed(one.name for one in experiments if count[one.name] == 1)
    return [*(["latest"] if experiments else []), *names, *(one.id for one in experiments)]


def _trials(url: str | None, experiment: str, begun: str) -> list[str]:
    from dspy_profiles.results.store import find_experiment, open_inside

    with open_inside(url) as store:
        numbers = range(1, find_experiment(store, experiment).trials + 1)
    return list(islice((n for n in map(str, numbers) if n.startswith(begun)), MOST))


def _in_time(ask: Callable[[], list[str]]) -> list[str]:
    """Return the answer, or nothing after an error or if it takes too long."""
    answers: SimpleQueue[list[str]] = SimpleQueue()

    def answer() -> None:
        try:
            answers.put(ask())
        except Exception:  # noqa: BLE001 - the magic itself reports the error
            answers.put([])

    Thread(target=answer, daemon=True).start()
    try:
        return answers.get(timeout=PATIENCE)
    except Empty:
        return []
