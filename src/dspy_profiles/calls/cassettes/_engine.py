"""The provider `replay`: an offline engine that answers from a cassette."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from dspy_profiles._dspy import Call
from dspy_profiles.calls._stage import Answer
from dspy_profiles.calls.cassettes._cassette import Cassette
from dspy_profiles.calls.cassettes._player import Player
from dspy_profiles.config import locate
from dspy_profiles.errors import InvalidProfile
from dspy_profiles.objects.engines import OfflineEngine
from dspy_profiles.secrets import expand_user

__all__ = ["ReplayEngine"]

RECORD = 'record it: with profile(…, cassette="…", cassettes="new")'


class ReplayEngine(OfflineEngine):
    """Engine of `[x.provider] class = "replay", cassette = "demo.jsonl"`.

    The model of `[x.lm]` must be the one that was recorded, unless `match` leaves it out. A request
    without a recorded response is a `CassetteMiss`.
    """

    def __init__(self, *, cassette: str | None = None, match: Iterable[str] | None = None) -> None:
        if not cassette:
            raise InvalidProfile(
                "provider replay has no cassette",
                hint='add cassette = "demo.jsonl" next to class = "replay"',
            )
        self._path = locate().root / expand_user(cassette)
        self._match = match
        self.start_afresh()

    def start_afresh(self) -> None:
        """Play the cassette from its beginning, as for a new test."""
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
        assert answer is not None  # noqa: S101 - in mode none it returns an answer, or raises
        return answer


def _result(answer: Answer) -> Any:
    if answer.error is not None:
        raise answer.error
    return answer.result
