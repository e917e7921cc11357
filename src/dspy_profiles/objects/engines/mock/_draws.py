"""Draws that come out the same in every process: a hash of a seed and of where one stands."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Draw"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draw:
    """A place to draw from: its path below the seed decides, never the order of the draws.

    >>> Draw("hello").child("answer").word() == Draw("hello").child("answer").word()
    True
    """

    seed: str
    path: tuple[str, ...] = ()

    def child(self, *steps: object) -> "Draw":
        return Draw(self.seed, (*self.path, *map(str, steps)))

    def digest(self) -> bytes:
        # A lone surrogate is no valid text, but it is a valid seed.
        text = "\x1f".join((self.seed, *self.path))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()

    def below(self, bound: int) -> int:
        """A number from 0 to `bound` - 1."""
        return int.from_bytes(self.digest(), "big") % bound

    def fraction(self) -> float:
        """A number from 0 up to, but never, 1."""
        return int.from_bytes(self.digest()[:6], "big") / 2**48

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def word(self, length: int = 4) -> str:
        """`length` hexadecimal digits."""
        digits = self.digest().hex()
        return (digits * (length // len(digits) + 1))[:length]
