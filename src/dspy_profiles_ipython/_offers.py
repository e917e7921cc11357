"""What may stand behind a magic: its options, and the names, keys, files and modes they take."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from dspy_profiles.errors import ProfileError
from dspy_profiles_ipython._state import look
from dspy_profiles_ipython._words import WITH_VALUE, quoted, split

__all__ = ["Offer", "offer"]

LAST_WORD = re.compile(r"""(?:^|(?<=\s))(?:"[^"]*|'[^']*|\S*)$""")
OF_A_CELL = ("--cassette", "--cassettes", "--set")
OF_A_LINE = ("--list", "--off", "--set", "--show")
NOT_SET = ("extends", "description")  # keys of a profile that cannot be overridden


class Offer(NamedTuple):
    """The word that is being typed, and the texts that may take its place; all of one kind."""

    word: str
    kind: str
    texts: list[str]


def offer(magic: str, words: str, *, is_cell: bool) -> Offer:
    """What may stand at the end of these words."""
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
            kind, texts = _texts(split(earlier), word, is_cell=is_cell)
        else:
            from dspy_profiles_ipython._record_offers import texts_behind

            kind, texts = texts_behind(magic, split(earlier), word)
        fitting = [t for t in texts if t.lstrip('"').startswith(begun) and t != word]
    except ProfileError:  # a broken file is told by the magic itself
        kind, fitting = "", []
    return Offer(word, kind, fitting)


def _texts(earlier: list[str], word: str, *, is_cell: bool) -> tuple[str, Iterable[str]]:
    """What may stand here, and what it is."""
    if earlier[-1:] == ["--set"]:
        from dspy_profiles import schema

        return "key", (f"{key}=" for key in schema.every_key() if key not in NOT_SET)
    if earlier[-1:] == ["--cassette"]:
        return "path", map(quoted, _cassettes(word.lstrip("\"'")))
    if earlier[-1:] == ["--cassettes"]:
        from dspy_profiles.calls.cassettes import MODES

        return "mode", MODES
    if word.startswith("-"):
        return "option", OF_A_CELL if is_cell else OF_A_LINE
    if _has_name(earlier):
        return "", ()
    from dspy_profiles.profiles import list_profiles

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
