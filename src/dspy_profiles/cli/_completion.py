"""Completion of the command line: plain words only, in silence."""

import io
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import wraps
from typing import Any

from dspy_profiles.display import is_plain_word, plain_words

__all__ = ["completing", "in_silence"]

Words = Iterable[str | tuple[str, str]]


def completing(find: Callable[..., Words]) -> Callable[..., list[str | tuple[str, str]]]:
    """Return a completion for Typer: the words of `find`, each with a description if it has one.

    A cloned file may give names that a shell would execute, expand or split: they are left out.
    Whatever `find` prints or raises is ignored.
    """

    @wraps(find)
    def complete(*args: Any, **named: Any) -> list[str | tuple[str, str]]:
        try:
            with in_silence(), redirect_stdout(io.StringIO()):
                return list(_plain(find(*args, **named)))
        except Exception:  # noqa: BLE001 - the command itself reports the error
            return []

    return complete


@contextmanager
def in_silence() -> Iterator[None]:
    """Print no warnings and no log lines: they would land in the line that is being typed."""
    import logging  # slow, and needed for this only

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def _plain(words: Words) -> Iterator[str | tuple[str, str]]:
    for each in words:
        if isinstance(each, str):
            if is_plain_word(each):
                yield each
        elif is_plain_word(each[0]):
            yield each[0], plain_words(each[1])
