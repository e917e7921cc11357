"""off, none, once, new, all: what is asked, what is kept, what is a miss."""

from typing import Any

import pytest

from dspy_profiles.calls import Refused
from dspy_profiles.calls.budget import Account, Budget
from dspy_profiles.calls.cassettes import Cassette, checked_mode
from dspy_profiles.calls.cassettes._file import stamp_of
from dspy_profiles.config import Limits
from dspy_profiles.errors import CassetteMiss, InvalidProfile


def test_once_records_a_file_that_is_absent_and_replays_it_afterwards(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        assert ask() == "Paris"
    with playing("once", silent) as cassette:
        assert ask() == "Paris"
    assert cassette.replayed == 1


def test_once_adds_nothing_to_a_file_that_is_there(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask("France?")
    before = path.read_bytes()
    with playing("once", silent), pytest.raises(Refused) as held:
        ask("Spain?")
    assert isinstance(held.value.error, CassetteMiss)
    assert path.read_bytes() == before


def test_none_answers_nothing_where_there_is_no_file(
    path: Any, playing: Any, silent: Any, ask: Any
) -> None:
    with playing("none", silent), pytest.raises(Refused, match="does not exist; blocked a call"):
        ask()
    assert not path.parent.exists()


def test_new_asks_only_for_what_is_not_there(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("new", lm_of("Paris")):
        ask("France?")
    lm = lm_of("Madrid")
    with playing("new", lm) as cassette:
        assert ask("France?") == "Paris"
        assert ask("Spain?") == "Madrid"
    assert (len(lm._engine_spec.asked), cassette.replayed) == (1, 1)
    with playing("none", silent):
        assert (ask("Spain?"), ask("France?")) == ("Madrid", "Paris")


def test_new_adds_another_answer_to_a_request_that_is_there(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("new", lm_of("one")):
        ask()
    with playing("new", lm_of("two", "three")):
        assert [ask(), ask(), ask()] == ["one", "two", "three"]
    with playing("none", silent):
        assert [ask(), ask(), ask()] == ["one", "two", "three"]


def test_all_replaces_what_was_there(playing: Any, lm_of: Any, silent: Any, ask: Any) -> None:
    with playing("once", lm_of("Paris", "Madrid")):
        ask("France?"), ask("Spain?")
    with playing("all", lm_of("Lutetia")) as cassette:
        assert ask("France?") == "Lutetia"
    assert cassette.replayed == 0
    with playing("none", silent):
        assert ask("France?") == "Lutetia"
        with pytest.raises(Refused):
            ask("Spain?")


def test_all_replaces_a_file_that_is_broken(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    path.parent.mkdir()
    path.write_text("nonsense")
    with playing("all", lm_of("Paris")):
        ask()
    with playing("none", silent):
        assert ask() == "Paris"


def test_off_is_as_if_there_were_none(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    with playing("off", lm_of("Paris")):
        assert ask() == "Paris"
    assert not path.exists()


def test_nothing_is_written_where_nothing_was_asked(path: Any, playing: Any, lm_of: Any) -> None:
    with playing("once", lm_of()):
        pass
    assert not path.parent.exists()


def test_nothing_is_written_before_it_is_saved(
    path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")) as cassette:
        ask()
        assert not path.exists()
        assert cassette.recorded == 1
    assert path.exists()


def test_what_is_discarded_is_not_written(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    with playing("once", lm_of("Paris")) as cassette:
        ask()
        cassette.discard()
    assert not path.exists()


def test_saving_twice_writes_once(path: Any, playing: Any, lm_of: Any, ask: Any) -> None:
    with playing("once", lm_of("Paris")) as cassette:
        ask()
        assert cassette.save()
        assert not cassette.save()


def test_one_that_was_replayed_alone_is_not_touched(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("Paris")):
        ask()
    before = stamp_of(path)  # not all of stat: that a file was read is noted there
    with playing("new", silent) as cassette:
        ask()
        assert not cassette.save()
    assert stamp_of(path) == before


def test_what_was_used_and_what_was_not_is_known(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    with playing("once", lm_of("a", "b", "c", "d")):
        ask("1"), ask("2"), ask("2"), ask("3")
    with playing("none", silent) as cassette:
        ask("1"), ask("2")
    assert len(cassette.used) == 2
    assert [entry.count for entry in cassette.unused] == [2, 1]
    assert cassette.models == ["own/model"]


def test_it_stays_where_it_was_opened_whatever_becomes_the_working_directory(
    project: Any, lm_of: Any, ask: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    cassette = Cassette("x.jsonl", "once")
    monkeypatch.chdir(tmp_path)
    assert cassette.path == project / "x.jsonl"


def test_a_mode_that_does_not_exist_is_an_error_that_names_the_near_one() -> None:
    with pytest.raises(InvalidProfile, match='did you mean "once"'):
        checked_mode("onse")
    with pytest.raises(InvalidProfile, match="off, none, once, new, all"):
        checked_mode("x")


def test_a_call_that_a_budget_holds_back_leaves_nothing(
    path: Any, playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    def budget(calls: Any) -> Any:
        return [Budget([Account("this test", Limits(calls=calls))])]

    with playing("once", lm_of("Paris", "Madrid"), budget(1)) as cassette:
        ask("France?")
        with pytest.raises(Refused, match="budget"):
            ask("Spain?")
        assert cassette.recorded == 1
    with playing("none", silent, budget(0)):
        assert ask("France?") == "Paris"  # what is replayed is not paid for


def test_dspys_cache_does_not_hide_a_call_from_it(
    playing: Any, lm_of: Any, silent: Any, ask: Any
) -> None:
    lm = lm_of("Paris", "Lyon", cache=True)
    with playing("off", lm):
        assert ask() == "Paris"
    with playing("once", lm):
        assert ask() == "Lyon"
    silent.cache = True
    with playing("none", silent):
        assert ask() == "Lyon"
