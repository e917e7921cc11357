"""The journal of a real run with a byte changed or an end lost: what is sound in it is kept."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.results import Store, record
from dspy_profiles.results.journal._assemble import assemble, stream
from dspy_profiles.results.journal._base import MemoryStorage
from dspy_profiles.results.recording import new_id

DAMAGED = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SHARES = st.floats(0, 1, exclude_max=True)


@pytest.fixture
def journal(file_store: Store, lm: Any, program: Any) -> bytes:
    """Of an experiment with two calls."""
    with record("a run", store=file_store) as exp:
        program(question="Why?")
        program(question="Why not?")
    folder = Path(file_store.url[5:]) / "experiments" / exp.id
    return next(folder.glob("journal-*.jsonl")).read_bytes()


def read(text: bytes) -> tuple[list[str], dict[str, bytes], list[Any]]:
    """The trials, the events by id, and the faults."""
    storage, name = MemoryStorage(), new_id()
    storage.adopt(name, "journal-0.jsonl", iter([text]))
    made = assemble(storage, name, None)
    orjson.dumps(made.experiment.to_json())
    events = {
        event.id: orjson.dumps(event.to_json())
        for event in stream(storage, name, None, "interrupted")
    }
    return [trial.id for trial in made.trials], events, list(made.faults)


@DAMAGED
@given(SHARES)
def test_what_came_before_a_lost_end_is_read(journal: bytes, share: float) -> None:
    cut = int(share * len(journal))
    sound = journal[: journal.rfind(b"\n", 0, cut) + 1]
    trials, events, faults = read(journal[:cut])
    assert faults == []
    assert (trials, events) == read(sound)[:2]


@DAMAGED
@given(SHARES, st.integers(1, 255))
def test_a_byte_that_is_another_costs_its_own_line_at_most(
    journal: bytes, share: float, flip: int
) -> None:
    at = int(share * len(journal))
    damaged = bytearray(journal)
    damaged[at] ^= flip
    lines = journal.splitlines(keepends=True)
    number = journal.count(b"\n", 0, at)
    _, whole, _ = read(journal)
    _, events, faults = read(bytes(damaged))
    touched = b"".join(lines[number : number + 2])  # an end that is lost joins two lines
    untouched = {name for name in whole if name.encode() not in touched}
    assert untouched <= events.keys()
    assert {fault.kind for fault in faults} <= {"damaged"}
