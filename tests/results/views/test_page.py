"""The page as a file: what is in it, what it forbids itself, what it leaves out."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from dspy_profiles.results import Store, view_experiment, view_trial
from dspy_profiles.results.views import _page as page
from dspy_profiles.results.views import view_list

DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)


def data_of(html: str) -> Any:
    found = DATA.findall(html)
    assert len(found) == 1
    return json.loads(found[0])


def test_it_may_run_its_own_script_and_style_and_ask_for_nothing(
    capitals: Any, memory: Store
) -> None:
    html = view_experiment(capitals.id, memory).html()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    said = dict(part.strip().split(" ", 1) for part in policy[1].replace("&#39;", "'").split(";"))
    assert said["default-src"] == "'none'"
    for key, name in (("script-src", "script"), ("style-src", "style")):
        text = re.search(rf"<{name}>(.*?)</{name}>", html, re.DOTALL)
        assert text is not None
        digest = b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert said[key] == f"'sha256-{digest}'"
    assert {said["base-uri"], said["form-action"]} == {"'none'"}


@pytest.mark.parametrize("kind", ["experiment", "trial", "list"])
def test_it_names_no_other_place(hostile: Any, memory: Store, kind: str) -> None:
    views = {
        "experiment": view_experiment(hostile.id, memory),
        "trial": view_trial(hostile.id, "1", memory),
        "list": view_list(memory.query_experiments()),
    }
    html = DATA.sub("", views[kind].html())
    assert set(re.findall(r'(?:src|href)="([^"#]*)', html)) <= {"data:,", ""}
    assert not re.search(r"https?:|//cdn|@import|url\(", html)


def test_its_data_cannot_end_the_script_that_it_stands_in(hostile: Any, memory: Store) -> None:
    html = view_experiment(hostile.id, memory).html()
    raw = DATA.findall(html)[0]
    assert not set(raw) & set("<>&\u2028\u2029")
    assert html.count("<script") == html.count("</script>") == 2
    assert "</script><script>" in data_of(html)["rows"][0]["shown"]["name"]


def test_a_zero_is_a_number(book: Callable[..., Any], memory: Store) -> None:
    made = book()
    made.score(0.0, 0, made.call(0, lm=0))
    data = data_of(view_experiment(made.close(1).id, memory).html())
    assert (data["rows"][0]["score"], data["rows"][0]["at"]) == (0.0, 0.0)
    lm = next(step for step in data["trials"]["1"]["steps"] if step["kind"] == "lm")
    assert lm["seconds"] == 0.0


def test_a_prompt_that_many_calls_share_is_in_it_once(
    book: Callable[..., Any], memory: Store
) -> None:
    made = book()
    for number in range(50):
        made.call(number, question=f"question {number}?", lm=1)
    made.close(100)
    html = view_experiment(made.id, memory).html()
    assert html.count("Your input fields are") == 1
    texts = data_of(html)["texts"]
    assert len(texts) == len(set(texts))


class TestSize:
    @pytest.fixture
    def many(self, book: Callable[..., Any]) -> Any:
        made = book()
        for number in range(40):
            error = "it broke" if number == 39 else None
            made.call(number, question=f"{number}" * 2000, lm=1, error=error)
        return made.close(100)

    def test_is_bounded_and_what_is_left_out_is_said(
        self, many: Any, memory: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page, "BUDGET", 60_000)
        html = view_experiment(many.id, memory).html()
        data = data_of(html)
        kept = len(data["trials"])
        assert len(data["rows"]) == 40
        assert 1 < kept < 40
        assert "40" in data["trials"]  # what went wrong comes first
        assert f"the steps of {40 - kept} trials are left out" in html
        assert f"dspy-profiles trace {many.id} NUMBER" in html

    def test_of_the_table_too(
        self, many: Any, memory: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page, "MOST_ROWS", 10)
        html = view_experiment(many.id, memory).html()
        assert len(data_of(html)["rows"]) == 10
        assert "The table has the first 10 of 40 trials." in html

    def test_has_no_bound_on_request(
        self, many: Any, memory: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(page, "BUDGET", 60_000)
        monkeypatch.setattr(page, "MOST_ROWS", 10)
        html = view_experiment(many.id, memory, full=True).html()
        assert len(data_of(html)["trials"]) == 40

    def test_of_one_text_is_bounded_in_an_experiment_and_not_in_its_trial(
        self, book: Callable[..., Any], memory: Store
    ) -> None:
        made = book()
        made.call(1, question="x" * 1_000_000)
        made.close(1000)
        short = view_experiment(made.id, memory).html()
        assert len(short) < 500_000
        longest = max(
            part.get("letters", 0) for step in data_of(short)["trials"]["1"]["steps"]
            for part in step.get("parts", ())
        )  # fmt: skip
        assert longest > 1_000_000
        assert "x" * 1_000_000 in view_trial(made.id, "1", memory).html()


def test_its_static_parts_say_what_there_is_without_a_script(capitals: Any, memory: Store) -> None:
    html = DATA.sub("", view_experiment(capitals.id, memory).html())
    for text in ("capitals", "short prompts do", "$0.0024", "ask once", "call the predictor",
                 "prod · 8ffe5064480e53bc", "<noscript>"):  # fmt: skip
        assert text in html
