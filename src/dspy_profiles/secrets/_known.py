"""The secrets that this process knows, and a quick search for any spelling of them."""

import re
from collections.abc import Iterable

from dspy_profiles._locks import ProcessLock
from dspy_profiles.secrets._spellings import encoded, escaped, lines, parts

__all__ = ["PLACEHOLDERS", "SHORTEST", "KnownValues", "Search", "is_plaintext"]

# Placeholders for libraries that require a key that the server does not need.
PLACEHOLDERS = frozenset(
    {"", "none", "empty", "dummy", "ollama", "not-needed", "sk-no-key-required"}
)
SHORTEST = 4  # shorter values cannot be distinguished from ordinary text
DIGITS = re.compile(r"[0-9]{10,}")
LETTERS = re.compile(r"[A-Za-z0-9]{8,}")
# From rare to common in English, code and JSON. Any other character counts as common.
BY_RARITY = "ZQXJzYKVqUjWGHBFxOLPkDNRMCEv9876543wITSAybg2pf01umhdlcsrniaote"
RANK = {character: rank for rank, character in enumerate(BY_RARITY)}
PIECE = 8  # characters of a piece in a regular expression
# In a long text, one regular expression is faster than a search for each of many pieces.
FEW = 50  # pieces
SHORT = 500  # characters
WORTH = 50_000_000  # characters searched in about 5 ms, as long as a compilation takes


def is_plaintext(text: str) -> bool:
    """Return whether a value under a secret's name is a secret, not a placeholder."""
    return text.strip().lower() not in PLACEHOLDERS


class KnownValues:
    """Secrets with what replaces them, for all threads."""

    def __init__(self) -> None:
        self._added: set[str] = set()
        self._pieces: dict[str, None] = {}  # every spelling contains one of these
        self._partly: set[str] = set()  # spellings that are masked if a text shows a part
        self._sources: dict[str, str] = {}  # of every spelling
        self._lock = ProcessLock()
        self.search: Search | None = None

    def __bool__(self) -> bool:
        return bool(self._sources)

    def clear(self) -> None:
        with self._lock:
            for each in (self._added, self._pieces, self._partly, self._sources):
                each.clear()
            self.search = None

    def add(self, value: str, source: str) -> None:
        """Find a value, the secrets in it, and all their spellings from now on."""
        if value not in self._added:
            with self._lock:
                self._add_all(value, source)
                self.search = None

    def new_search(self) -> "Search":
        """Return a search for all that is known now, kept as `search` until more is known."""
        with self._lock:
            if self.search is None:
                self.search = Search(dict(self._sources), set(self._partly), tuple(self._pieces))
            return self.search

    def _add_all(self, value: str, source: str) -> None:
        self._add(value, source, encodings=True)
        for line in lines(value):
            self._add(line, source, encodings=False)
        for part in parts(value):
            self._add_all(part, source)
        self._added.add(value)

    def _add(self, value: str, source: str, *, encodings: bool) -> None:
        if len(value) < SHORTEST or not is_plaintext(value):
            return
        as_text = escaped(value)
        spelled = as_text | (encoded(value) if encodings else set())
        self._pieces.update(dict.fromkeys(_pieces(spelled)))
        self._partly |= as_text
        for text in spelled:
            self._sources.setdefault(text, source)


class Search:
    """A search for known spellings, the longest first."""

    def __init__(self, sources: dict[str, str], partly: set[str], pieces: tuple[str, ...]) -> None:
        self.size = len(sources)
        self.sources = sources
        self.partly = partly
        self.values = sorted(sources, key=len, reverse=True)
        self._pieces = pieces
        self._by_rarest = _by_rarest(pieces)
        self._pattern: re.Pattern[str] | None = None
        self._work = 0

    def is_in(self, text: str) -> bool:
        """Return whether a text may have a known spelling: always, if it has one."""
        if len(text) > SHORT and len(self._pieces) > FEW:
            if self._pattern is not None:
                return self._pattern.search(text) is not None
            self._work += len(self._pieces) * len(text)
            if self._work > WORTH:
                self._pattern = _compiled(self._pieces)
        # Most texts have no "Z" at all, which takes no time to see.
        for rarest, pieces in self._by_rarest:
            if rarest in text:
                for piece in pieces:
                    if piece in text:
                        return True
        return False

    def replaced(self, text: str) -> str:
        """Return a text with every known spelling replaced."""
        for value in self.values:
            if value in text:
                text = text.replace(value, self.sources[value])
        return text


def _pieces(spelled: Iterable[str]) -> list[str]:
    """Return a few texts of which every spelling contains one: most spellings share one."""
    found: list[str] = []
    for text in sorted(spelled, key=len):
        if not any(piece in text for piece in found):
            runs = DIGITS.findall(text) or LETTERS.findall(text) or [text]
            found.append(max(runs, key=len))
    return found


def _by_rarest(pieces: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return pieces by the character of theirs that is rarest in texts."""
    found: dict[str, list[str]] = {}
    for piece in pieces:
        found.setdefault(min(piece, key=_rank), []).append(piece)
    return tuple((rarest, tuple(found[rarest])) for rarest in sorted(found, key=_rank))


def _rank(character: str) -> int:
    return RANK.get(character, len(RANK))


def _compiled(pieces: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for a part of each piece that begins with a rare character.

    `re` skips quickly to a few first characters.
    """
    by_first: dict[str, set[str]] = {}
    for piece in pieces:
        starts = range(max(1, len(piece) - PIECE + 1))
        start = min(starts, key=lambda at: _rank(piece[at]))
        part = piece[start : start + PIECE]
        by_first.setdefault(part[0], set()).add(re.escape(part[1:]))
    return re.compile(
        "|".join(f"{re.escape(c)}(?:{'|'.join(sorted(rest))})" for c, rest in by_first.items())
    )
