"""The stage that answers calls from a cassette, and records them on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dspy_profiles._dspy import Call
from dspy_profiles.calls._held import BrokenOff, Refused
from dspy_profiles.calls._stage import Answer, Stage
from dspy_profiles.calls.cassettes._file import Entry
from dspy_profiles.calls.cassettes._json import original, read_back
from dspy_profiles.calls.cassettes._requests import key_of, request_as_written, request_of
from dspy_profiles.calls.cassettes._responses import answer_from, answered, failed
from dspy_profiles.calls.cassettes._streams import UnknownChunk
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
    """Answers calls from a cassette. The others are recorded, or are misses.

    The program receives a new response as it will be replayed: without secrets, and without data
    that is not recorded.
    """

    rank = 10
    bypasses_cache = True

    def __init__(self, cassette: "Cassette") -> None:
        self._cassette = cassette
        self._open: dict[Call, _Open] = {}  # no lock: a thread uses the entry of its own call only

    def before(self, call: Call) -> Answer | None:
        cassette = self._cassette
        request = self._filtered(call, "request", request_of(call))
        if request is None:
            if cassette.recording:
                return None
            raise Refused(cassette.filtered_miss(call))
        keys = [key_of(call.kind, request, cassette.match)]
        if call.kind == "lm" and call.request is None:  # as format 1 has it
            keys.append(key_of(call.kind, request_as_written(call), cassette.match))
        key, ordinal, match = cassette.take(*keys)
        if match is not None:
            return self._replayed(call, *match)
        if not cassette.recording:
            raise Refused(cassette.miss(call.kind, request, key, ordinal))
        self._open[call] = _Open(key, ordinal, request)
        call.whole = True
        return None

    def after(self, call: Call, answer: Answer) -> None:
        recorded = self._record(call, self._data(call, lambda: answered(call, answer)))
        if recorded is not None:
            answer.result, answer.events = recorded.result, recorded.events

    def failed(self, call: Call, error: BaseException) -> BaseException | None:
        if not isinstance(error, Exception):  # the program was interrupted
            self._close(call)
            return None
        raised = None if isinstance(error, BrokenOff) else error
        recorded = self._record(call, self._data(call, lambda: failed(call, raised)))
        if recorded is None:
            return None
        if call.streamed:
            call.events = recorded.events or ()
        return recorded.error

    def held(self, call: Call, error: ProfileError) -> None:  # noqa: ARG002 - any of them
        self._close(call)

    def _close(self, call: Call) -> _Open | None:
        return self._open.pop(call, None)

    def _data(self, call: Call, make: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
        try:
            return make()
        except UnknownChunk as chunk:
            self._close(call)
            message = f"stream of {call.model} cannot be recorded: its LM sends {chunk}"
            hint = "call it without a stream, or without a cassette"
            raise Refused(InvalidProfile(message, hint)) from None

    def _record(self, call: Call, data: dict[str, Any] | None) -> Answer | None:
        """Record a response; return it as it will be replayed, or None if it is not recorded."""
        opened = self._close(call)
        if opened is None or data is None:
            return None
        data = self._filtered(call, "response", data)
        if data is None:
            return None
        try:
            answer = answer_from(call, original(read_back(data)), replayed=False)
        except Exception as error:  # noqa: BLE001 - the filter may have returned anything
            message = f"response of {call.model} cannot be recorded: {_shown(error)}"
            raise Refused(InvalidProfile(message, "check the cassette's filter")) from None
        self._cassette.add(call.kind, opened.request, opened.key, opened.ordinal, data)
        return answer

    def _replayed(self, call: Call, entry: Entry, place: int) -> Answer:
        try:
            answer = answer_from(call, entry.response(place))
            _ = answer.tokens  # raises if its usage is not made of numbers
        except Exception as error:  # noqa: BLE001 - the file may contain anything
            message = f"response {place + 1} in this line cannot be replayed: {_shown(error)}"
            where = Place(self._cassette.path, entry.line)
            hint = "remove this line, or record it again"
            raise Refused(InvalidFile(message, hint, where)) from None
        return answer

    def _filtered(self, call: Call, what: str, data: Mapping[str, Any]) -> dict[str, Any] | None:
        keep = self._cassette.filter
        if keep is None:
            return dict(data)
        try:
            record = keep({"kind": call.kind, what: data})
            return None if record is None else dict(record[what])
        except Exception as error:
            message = f"cassette filter failed: {_shown(error)}"
            hint = "make it return the record it is given, or None"
            raise Refused(InvalidProfile(message, hint)) from error


def _shown(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def stages_for(cassette: "Cassette | None") -> tuple[Stage, ...]:
    """Return the stages that play a cassette; none without one, or in mode "off"."""
    return () if cassette is None or cassette.mode == "off" else (Player(cassette),)
