"""Whatever stands in a text, every store keeps it and finds it alike."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.results import Store, open_store, record
from dspy_profiles.results import _words as words
from dspy_profiles.results.store.sql import _search as search

TEXTS = [
    "Zürich ÄÖÜ ß",
    "STRASSE",
    "Straße",
    "日本語のテキスト",
    "한국어",
    "mixed日本text",
    "emoji 😀 smile 👩\u200d👩\u200d👧",
    "İstanbul ıI",
    "ﬁne ŉ ΑΣ ς",
    "e\u0301 é",
    "under_score snake-case don't",
    "1.5 ٣ ² Ⅻ",
    "NUL\0in the middle",
    "back\\slash \\0 \\ud800",
    "half \ud800 a character",
    'quotes " and \' and "" AND OR NOT NEAR * ^ : ( ) + -',
    "% _ %s %(x)s :name ? $1 {a}",
    "word" * 2000,
    "word" * 2001,
    "語" * 3000,
    "ü" * 1023,
    "ü" * 1024,
    "z" * 40_000 + "a",
    "z" * 40_000 + "b",
    " ".join(f"w{n}" for n in range(3000)),
    "\u2028 \u00a0 \u3000 \x85 \x1c",
    "",
    "!!!",
]


@pytest.fixture
def plain() -> Store:
    """The store whose answers the others have to give."""
    return open_store("memory:plain")


@pytest.fixture(scope="module")
def name() -> str:
    """The experiment, recorded once: each text is a decision and a trial's score."""
    with record("Übung\0", hypothesis="a\\b ẞ", program="P\0", store="memory:plain") as exp:
        for text in TEXTS:
            exp.decision(strategy=text[:30], rationale=text, more=[text, {"key": text}])
    return exp.id


@pytest.fixture
def store(sql_url: str, plain: Store, name: str) -> Store:
    store = open_store(sql_url)
    store.archive_experiment(SimpleNamespace(id=name, store=plain))
    return store


def test_it_is_kept_as_it_was(store: Store, plain: Store, name: str) -> None:
    assert store.get_experiment(name) == plain.get_experiment(name)
    assert store.events(name) == plain.events(name)
    assert store.verify(name) == []


def test_it_is_found_where_the_others_find_it(store: Store, plain: Store, name: str) -> None:
    asked = [*TEXTS, *sorted({word for text in TEXTS for word in text.split()[:9]})]
    asked += ["zurich", "wor", "word wordword", "key", "ss", "i", "w1 w2999", "w1 zürich", "fi"]
    asked += ["z" * 40_000, "z" * 500, "語 本", "übung ẞ", "übung w1", " "]
    for text in asked:
        found = [each.id for each in store.query_experiments(text=text)]
        assert found == [each.id for each in plain.query_experiments(text=text)], text[:50]


@pytest.mark.parametrize("given", ["P\0", "P", "P\\0", "\ud800", "'; DROP TABLE dspy_trials"])
def test_a_name_with_odd_characters_is_compared_whole(
    store: Store, plain: Store, name: str, given: str
) -> None:
    found = store.query_experiments(program=given)
    assert found == plain.query_experiments(program=given)
    assert (len(found) == 1) == (given == "P\0")
    assert store.query_experiments(profile=given) == []
    assert store.events(name, given) == []


@pytest.mark.parametrize("part", ["A\\B", "SS", "ẞ", "%", "_", "\0", ""])
def test_a_part_of_a_hypothesis_is_no_pattern(store: Store, plain: Store, part: str) -> None:
    found = store.query_experiments(hypothesis=part)
    assert found == plain.query_experiments(hypothesis=part)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text())
def test_no_word_has_a_character_that_an_index_would_split_at(text: str) -> None:
    for token in search.tokens(words.words(text)):
        assert token
        assert all(c > "\x7f" or c in "abcdefghijklmnopqrstuvwxyz0123456789" for c in token)
        assert len(token.encode()) <= search.LONGEST


def test_no_character_makes_a_word_that_an_index_would_split() -> None:
    everything = "".join(f"{chr(n)} " for n in range(0x110000) if not 0xD800 <= n <= 0xDFFF)
    for token in search.tokens(words.words(everything)):
        assert all(c > "\x7f" or c in "abcdefghijklmnopqrstuvwxyz0123456789" for c in token)


def test_trials_are_found_by_the_words_of_one_event(
    sql_url: str, plain: Store, lm: Any, program: Any
) -> None:
    with record("a run", store=plain) as exp:
        program(question="Why 二?")
        program(question="Where is Zürich?")
    store = open_store(sql_url)
    store.archive_experiment(exp)
    for text in ("", "why", "ZÜRICH", "二", "why zürich", "paris", "where paris", "own/model"):
        for limit in (None, 1):
            found = store.query_trials(exp.id, text=text, limit=limit)
            assert found == plain.query_trials(exp.id, text=text, limit=limit), text
