"""A recorded file with a byte changed or an end lost: refused with its line, or read as it is."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.calls import Refused
from dspy_profiles.calls.cassettes import describe
from dspy_profiles.errors import InvalidFile, Place

DAMAGED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture
def recorded(path: Any, playing: Any, lm_of: Any, ask: Any) -> Any:
    """The bytes of a cassette with two answers."""
    with playing("once", lm_of("Paris", "Rome")):
        ask()
        ask("Where is the Colosseum?")
    return path.read_bytes()


def outcome(path: Any) -> Any:
    """What is in the file, or the error that names a line of it."""
    try:
        return describe(path)
    except InvalidFile as error:
        return error


@DAMAGED
@given(st.floats(0, 1, exclude_max=True))
def test_a_file_that_has_lost_its_end(path: Any, recorded: Any, share: Any) -> None:
    path.write_bytes(recorded[: int(share * len(recorded))])
    whole = recorded[: int(share * len(recorded))].count(b"\n")
    found = outcome(path)
    if isinstance(found, InvalidFile):
        assert found.hint
        assert isinstance(found.where, Place)
        assert found.where.line in {1, whole, whole + 1}
    else:
        assert found.requests <= whole


@DAMAGED
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_file_of_which_one_byte_is_another(
    path: Any, recorded: Any, share: Any, flip: Any
) -> None:
    at = int(share * len(recorded))
    damaged = bytearray(recorded)
    damaged[at] ^= flip
    path.write_bytes(damaged)
    found = outcome(path)
    if isinstance(found, InvalidFile):
        assert found.hint
        assert isinstance(found.where, Place)
        assert found.where.line in range(1, recorded.count(b"\n") + 2)
    else:
        assert found.requests <= 2


@settings(DAMAGED, max_examples=25)
@given(st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_replay_of_a_damaged_file_answers_or_says_what_is_wrong(
    path: Any, recorded: Any, playing: Any, silent: Any, ask: Any, share: Any, flip: Any
) -> None:
    damaged = bytearray(recorded)
    damaged[int(share * len(recorded))] ^= flip
    path.write_bytes(damaged)
    said = None
    with suppress(InvalidFile, Refused), playing("none", silent):
        said = ask()
    assert said is None or isinstance(said, str)
    assert path.read_bytes() == bytes(damaged)
