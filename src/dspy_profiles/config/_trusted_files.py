"""The files and folders that you have trusted, kept in your own folder."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dspy_profiles.config._acts import RESULTS, acts, deeds_in, deeds_or_none, digest_of
from dspy_profiles.config._document import read_unparsed
from dspy_profiles.config._locations import locate
from dspy_profiles.config._lock import locked
from dspy_profiles.config._write import write_atomically
from dspy_profiles.errors import InvalidFile, Place

__all__ = ["TRUSTED", "TrustedFiles"]

NAME = "trusted.json"
VERSION = 1


@dataclass
class Entries:
    """Digests of files by path, and folders below which every file is trusted."""

    files: dict[str, str] = field(default_factory=dict)
    below: list[str] = field(default_factory=list)


class TrustedFiles:
    """What `dspy-profiles trust` keeps. Read anew at each question: answers are few."""

    @property
    def path(self) -> Path:
        return locate().user_config.with_name(NAME)

    def read(self) -> Entries:
        """Return everything that is kept. Raise InvalidFile if the file was damaged."""
        path = self.path
        text = read_unparsed(path).text
        if not text:
            return Entries()
        entries = _parsed(text)
        if entries is None:
            raise InvalidFile(
                f"{NAME} is not what dspy-profiles trust writes",
                hint="delete it, and trust your projects again",
                where=Place(path),
            )
        return entries

    def has(self, file: Path) -> bool:
        """Return whether a file is trusted as it is now."""
        kept, place = self.read(), _place_of(file)
        if any(_is_below(place, folder) for folder in kept.below):
            return True
        digest = kept.files.get(place)
        deeds = deeds_or_none(file) if digest is not None else None
        return deeds is not None and digest == digest_of(deeds)

    def add(self, files: Iterable[Path], *, below: Path | None = None) -> None:
        """Trust these files as they are, or everything below a folder."""
        digests = {_place_of(file): digest_of(deeds_in(file)) for file in files}
        with self._changing() as kept:
            kept.files.update(digests)
            if below is not None and os.path.realpath(below) not in kept.below:
                kept.below.append(os.path.realpath(below))

    def remove(self, folder: Path) -> list[str]:
        """Trust nothing of a folder any longer. Return what was trusted."""
        real, place = os.path.realpath(folder), _place_of(folder)
        with self._changing() as kept:
            gone = [f for f in kept.files if f == place or _is_below(f, real)]
            gone += [f for f in kept.below if _is_below(f, real)]
            kept.files = {f: digest for f, digest in kept.files.items() if f not in gone}
            kept.below = [f for f in kept.below if f not in gone]
        return gone

    @contextmanager
    def keeps(self, file: Path) -> Iterator[None]:
        """Let a file that you change by our commands stay trusted, if it was, or if nothing acted.

        A file of a stranger in which something acts is not trusted by an edit of another key.
        """
        if file.suffix != ".toml" and ".env" not in file.name:
            yield
            return
        places = {Path(_place_of(file)), Path(os.path.realpath(file))}  # of a link, and its target
        before = deeds_or_none(file)
        is_harmless = before is not None and not acts(before)
        trusted = [place for place in places if is_harmless or self.has(place)]
        yield
        after = deeds_or_none(file)
        if after != before and acts(after):
            self.add(trusted)

    @contextmanager
    def _changing(self) -> Iterator[Entries]:
        path = self.path
        with locked(path):
            kept = self.read()
            yield kept
            data = {"version": VERSION, "files": kept.files, "below": kept.below}
            with write_atomically(path, new_mode=0o600) as file:
                file.write(json.dumps(data, indent=2).encode() + b"\n")


def _parsed(text: str) -> Entries | None:
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match data:
        case {"version": 1, "files": dict(files), "below": list(below)}:
            texts = (*files.values(), *below)
            return Entries(files, below) if all(isinstance(t, str) for t in texts) else None
    return None


def _place_of(file: Path) -> str:
    """Return where a file stands: a link is not its target, whose modules are in another folder."""
    folder = file.parent.parent if file.name == RESULTS else file.parent
    return os.path.join(os.path.realpath(folder), file.relative_to(folder))  # noqa: PTH118 - a text


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118


TRUSTED = TrustedFiles()
