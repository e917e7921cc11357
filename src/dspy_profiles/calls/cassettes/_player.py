"""The stage that answers from a cassette, and that records on one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dspy_profiles.calls._held import BrokenOff, Refused
from dspy_profiles.calls._stage import Answer, Call, Stage
from dspy_profiles.calls.cassettes._entries import Entry
from dspy_profiles.calls.cassettes._json import original, read_back
from dspy_profiles.calls.cassettes._requests import key_of, request_of
from dspy_profiles.calls.cassettes._responses import answer_from, answered, failed
from dspy_profiles.calls.cassettes._sent import Unkept
from dspy_profiles.errors import InvalidFile, InvalidProfile, Place, ProfileError

if TYPE_CHECKING:
    from dspy_profiles.calls.cassettes._cassette import Cassette

__all__ = ["Player", "stages_for"]


@dataclass(frozen=True)
class _Open:
    """A call that is being made, and will be recorded."""

    key: str
    ordinal: int
    request: dict[str, Any]


class Player(Stage):
    """Answers what is on the cassette; the rest is recorded, or is a miss.

    What is recorded goes to the program as it will be replayed: without secrets, and without what
    is not kept.
    """

    rank = 10
    bypasses_cache = True

    def __init__(self, cassette: "Cassette") -> None:
        self._cassette = cassette
        self._open: dict[Call, _Open] = {}  # no lock: a thread touches its own call's entry only

    def before(self, call: Call) -> Answer | None:
        cassette = self._cassette
        request = self._filtered(call, "request", request_of(call))
        if request is None:  # the filter wants it kept nowhere
            if cassette.recording:
                return None
            raise Refused(cassette.left_out(call))
        key = key_of(call.kind, request, cassette.match)
        ordinal, found = cassette.take(key)
        if found is not None:
            return self._replayed(call, *found)
        if not cassette.recording:
            raise Refused(cassette.missed(call.kind, request, key, ordinal))
        self._open[call] = _Open(key, ordinal, request)
        call.whole = True
        return None

    def after(self, call: Call, answer: Answer) -> None:
        kept = self._kept(call, self._record(call, lambda: answered(call, answer)))
        if kept is not None:
            answer.result, answer.events = kept.result, kept.events

    def failed(self, call: Call, error: BaseException) -> BaseException | None:
        if not isinstance(error, Exception):  # the program was interrupted
            self._closed(call)
            return None
        raised = None if isinstance(error, BrokenOff) else error
        kept = self._kept(call, self._record(call, lambda: failed(call, raised)))
        if kept is None:
            return None
        if call.streamed:
            call.events = kept.events or ()
        return kept.error

    def held(self, call: Call, error: ProfileError) -> None:  # noqa: ARG002 - whatever it is
        self._closed(call)

    def _closed(self, call: Call) -> _Open | None:
        return self._open.pop(call, None)

    def _record(
        self, call: Call, say: Callable[[], dict[str, Any] | None]
    ) -> dict[str, Any] | None:
        try:
            return say()
        except Unkept as error:
            self._closed(call)
            message = f"a stream of {call.model} cannot be kept on a cassette: its LM sends {error}"
            hint = "ask it here without a stream, or with no cassette"
            raise Refused(InvalidProfile(message, hint)) from None

    def _kept(self, call: Call, record: dict[str, Any] | None) -> Answer | None:
        """Record it, and say what the program gets; None: what came back, as it is."""
        opened = self._closed(call)
        if opened is None or record is None:
            return None
        record = self._filtered(call, "response", record)
        if record is None:
            return None
        try:
            kept = answer_from(call, original(read_back(record)), replayed=False)
        except Exception as error:  # noqa: BLE001 - whatever the filter has made of it
            message = f"this answer cannot be kept: {type(error).__name__}: {error}"
            raise Refused(InvalidProfile(message, "look at the cassette's filter")) from None
        self._cassette.keep(call.kind, opened.request, opened.key, opened.ordinal, record)
        return kept

    def _replayed(self, call: Call, entry: Entry, place: int) -> Answer:
        cassette = self._cassette
        try:
            return answer_from(call, entry.given(place))
        except Exception as error:  # noqa: BLE001 - whatever a file may say
            said = (
                f"answer {place + 1} in this line cannot be given: {type(error).__name__}: {error}"
            )
            hint = "take out that line, or record it again"
            raise Refused(InvalidFile(said, hint, Place(cassette.path, entry.line))) from None

    def _filtered(self, call: Call, what: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
        keep = self._cassette.filter
        if keep is None:
            return dict(data)
        try:
            record = keep({"kind": call.kind, what: data})
            return None if record is None else dict(record[what])
        except Exception as error:
            message = f"the cassette's filter failed: {type(error).__name__}: {error}"
            raise Refused(
                InvalidProfile(message, "it takes a record and returns one, or None")
            ) from error


def stages_for(cassette: "Cassette | None") -> tuple[Stage, ...]:
    """Return the stages that play a cassette; none without one, or in mode "off"."""
    return () if cassette is None or cassette.mode == "off" else (Player(cassette),)
