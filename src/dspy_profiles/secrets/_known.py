"""The secrets that this process knows, and a quick search for any spelling of them."""

import re
from collections.abc import Iterable

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
FEW = 30  # pieces; for more, one regular expression is faster than one search for each
WORTH = 50_000_000  # characters searched in about 5 ms, as long as a compilation takes
START = 500  # characters searched in the time that a search takes to start


def is_plaintext(text: str) -> bool:
    """Return whether a value under a secret's name is a secret, not a placeholder."""
    return text.strip().lower() not in PLACEHOLDERS


class KnownValues:
    """Secrets with what replaces them. May be read while another thread adds one."""

    def __init__(self) -> None:
        self._added: set[str] = set()
        self._pieces: dict[str, None] = {}  # every spelling contains one of these
        self._partly: set[str] = set()  # spellings that are masked if a text shows a part
        self._sources: dict[str, str] = {}  # of every spelling
        self._search = Search({}, set(), ())

    def __bool__(self) -> bool:
        return bool(self._sources)

    def clear(self) -> None:
        for each in (self._added, self._pieces, self._partly, self._sources):
            each.clear()
        self._search = Search({}, set(), ())

    def add(self, value: str, source: str) -> None:
        """Find a value, the secrets in it, and all their spellings from now on."""
        if value in self._added:
            return
        self._add(value, source, encodings=True)
        for line in lines(value):
            self._add(line, source, encodings=False)
        for part in parts(value):
            self.add(part, source)
        self._added.add(value)  # last: another thread may rely on it

    def search(self) -> "Search":
        """Return a search for all that is known now, which is kept until more is known."""
        search = self._search
        if search.size != len(self._sources):
            search = self._search = Search(
                dict(self._sources), set(self._partly), tuple(self._pieces)
            )
        return search

    def _add(self, value: str, source: str, *, encodings: bool) -> None:
        if len(value) < SHORTEST or not is_plaintext(value):
            return
        as_text = escaped(value)
        spelled = as_text | (encoded(value) if encodings else set())
        self._pieces.update(dict.fromkeys(_pieces(spelled)))
        self._partly |= as_text
        for text in spelled:  # last: their number shows that there is something new
            self._sources.setdefault(text, source)


class Search:
    """A search for known spellings, the longest first."""

    def __init__(self, sources: dict[str, str], partly: set[str], pieces: tuple[str, ...]) -> None:
        self.size = len(sources)
        self.sources = sources
        self.partly = partly
        self.values = sorted(sources, key=len, reverse=True)
        self._pieces = pieces
        self._pattern: re.Pattern[str] | None = None
        self._work = 0

    def redacted(self, text: str) -> str:
        """Return a text with every known spelling replaced."""
        if self._pattern is not None:
            if self._pattern.search(text) is None:
                return text
        elif not any(map(text.__contains__, self._pieces)):
            if len(self._pieces) > FEW:
                self._work += len(self._pieces) * (START + len(text))
                if self._work > WORTH:
                    self._pattern = _compiled(self._pieces)
            return text
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


def _compiled(pieces: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for a part of each piece that begins with a rare character.

    `re` skips quickly to a few first characters.
    """
    by_first: dict[str, set[str]] = {}
    for piece in pieces:
        starts = range(max(1, len(piece) - PIECE + 1))
        start = min(starts, key=lambda at: RANK.get(piece[at], len(RANK)))
        part = piece[start : start + PIECE]
        by_first.setdefault(part[0], set()).add(re.escape(part[1:]))
    return re.compile(
        "|".join(f"{re.escape(c)}(?:{'|'.join(sorted(rest))})" for c, rest in by_first.items())
    )
