"""The provider `replay`: an engine that answers from a cassette, and asks nobody."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from dspy_profiles.calls._stage import Answer, Call
from dspy_profiles.calls.cassettes._cassette import Cassette
from dspy_profiles.calls.cassettes._player import Player
from dspy_profiles.config import locate
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.objects.engines import OfflineEngine
from dspy_profiles.secrets import expand_user

__all__ = ["ReplayEngine"]

RECORD = 'profile(…, cassette="…", cassettes="new")'


class ReplayEngine(OfflineEngine):
    """`[x.provider] class = "replay", cassette = "demo.jsonl"`: what was recorded is said again.

    The model of `[x.lm]` has to be the one that was recorded, or `match` leaves it out. What is not
    on the cassette is a `CassetteMiss`.
    """

    def __init__(self, *, cassette: str | None = None, match: Iterable[str] | None = None) -> None:
        if not cassette:
            raise InvalidProfile(
                "the provider replay needs a cassette",
                hint='write cassette = "demo.jsonl" beside class = "replay"',
            )
        self._path = locate().root / expand_user(cassette)
        self._match = match
        self.start_afresh()

    def start_afresh(self) -> None:
        """Play it from the beginning, for a new test."""
        self._player = Player(Cassette(self._path, "none", match=self._match, command=RECORD))

    def complete(self, request: Any) -> Any:
        return _result(self._answer(request, streamed=False))

    async def acomplete(self, request: Any) -> Any:
        return self.complete(request)

    def stream(self, request: Any) -> Iterator[Any]:
        answer = self._answer(request, streamed=True)
        yield from answer.events or ()
        _result(answer)

    async def astream(self, request: Any) -> AsyncIterator[Any]:
        for event in self.stream(request):
            yield event

    def dump_state(self) -> dict[str, Any]:
        match = None if self._match is None else list(self._match)
        return {"cassette": str(self._path), "match": match}

    @classmethod
    def load_state(cls, state: dict[str, Any]) -> "ReplayEngine":
        return cls(**state)

    def _answer(self, request: Any, *, streamed: bool) -> Answer:
        call = Call("lm", request.model, request=request, offline=True, streamed=streamed)
        answer = self._player.before(call)
        assert answer is not None  # noqa: S101 - in mode none it answers, or raises
        return answer


def _result(answer: Answer) -> Any:
    if answer.error is not None:
        raise answer.error
    return answer.result
