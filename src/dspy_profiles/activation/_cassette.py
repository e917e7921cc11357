"""A block's cassette: opened as the block is entered, written as it is left.

Importing this imports DSPy.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dspy

from dspy_profiles.activation._stages import by_rank
from dspy_profiles.calls import STAGES, install
from dspy_profiles.calls.cassettes import Cassette, Player, checked_mode
from dspy_profiles.profiles import ResolvedProfile

__all__ = ["BlockCassette"]


class BlockCassette:
    """The cassette of a block, in place of one around it."""

    def __init__(
        self, path: str | os.PathLike[str], mode: str | None, profile: ResolvedProfile
    ) -> None:
        self._mode = checked_mode(mode or "none")
        self._cassette = Cassette(
            Path(path),
            self._mode,
            profile=profile.fingerprint,
            command='open the block with cassettes="new"',
        )

    def settings(self) -> Mapping[str, Any]:
        """Return the settings that lead the block's calls through the cassette."""
        if self._mode == "off":
            return {}
        install()
        around = (s for s in dspy.settings.get(STAGES, ()) if not isinstance(s, Player))
        return {STAGES: by_rank([*around, Player(self._cassette)])}

    def end(self, error: BaseException | None) -> None:
        """Write new responses, unless an error has left half of a recording."""
        if error is not None and self._mode in ("once", "all"):
            self._cassette.discard()
        else:
            self._cassette.save()
