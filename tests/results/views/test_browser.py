"""The static page in a real browser: found, sorted, opened and read there, by keyboard too.

Each page has to ask for nothing and to say nothing on the console. `DSPY_PROFILES_TEST_SCREENSHOTS`
names a folder that keeps what the browser showed.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from dspy_profiles.results import Store, view_experiment, view_trial
from dspy_profiles.results.views import view_list

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Dialog, Page

    Opened = Callable[..., Page]

SCREENSHOTS = os.environ.get("DSPY_PROFILES_TEST_SCREENSHOTS")  # no test sees it
LOOKING = Path(__file__).with_name("looking.js").read_text("utf-8")
PATIENCE = 30_000  # milliseconds for one step, on a machine that does other things as well
QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
WIDE, NARROW = 1280, 420
ROWS = ".trials tbody tr"
STEPS = ".steps li:not([hidden])"


def missing(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is not installed")
    pytest.skip(f"{what} is not installed")


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        missing("chromium")
    if importlib.util.find_spec("playwright") is None:
        missing("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: "Browser", tmp_path: Path) -> "Iterator[Opened]":
    """Opens a view's page, which may say nothing on its console, and ask for nothing."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def refuse(dialog: "Dialog") -> None:
        faults.append(dialog.message)
        dialog.dismiss()

    def open_(view: Any, part: str = "", width: int = WIDE, **more: Any) -> "Page":
        context = browser.new_context(viewport={"width": width, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        address = (view if isinstance(view, Path) else view.save(tmp_path / "page.html")).as_uri()
        page.on("console", lambda said: faults.append(said.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", refuse)
        page.on("request", lambda asked: faults.append(asked.url))
        page.goto(address + part)
        assert faults.pop(0).startswith(address)  # itself, and nothing else
        return page

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def shot(page: "Page", name: str) -> None:
    if SCREENSHOTS is not None:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)


def names(page: "Page") -> list[str]:
    return page.locator(f"{ROWS} td.name a").all_inner_texts()


def seen(page: "Page", locator: str) -> str:
    """The text of the first of these, when it is there."""
    return str(page.locator(locator).first.inner_text())


def is_open(page: "Page", name: str) -> None:
    """Wait until the page is at this; an address within it is gone to a little later."""
    page.get_by_role("heading", name=name).wait_for()


class TestAnExperiment:
    def test_shows_its_trials_and_how_it_was_run(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory))
        assert names(page) == ["example 0", "example 1", "example 2"]
        assert "RateLimitError: slow down" in seen(page, f"{ROWS}:nth-child(3)")
        text = seen(page, "main")
        for said in ("short prompts do", "$0.0024", "ask once", "prod · 8ffe5064480e53bc"):
            assert said in text
        shot(page, "experiment")

    def test_is_searched_in_names_questions_answers_and_errors(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory))
        for words, found in (
            ("EXAMPLE 1", ["example 1"]),
            ("peru", ["example 1"]),
            ("rome peru", ["example 1"]),
            ("ratelimit", ["example 2"]),
            ("nothing like it", []),
            ("", ["example 0", "example 1", "example 2"]),
        ):
            page.get_by_label("Search in trials").fill(words)
            assert names(page) == found
        page.get_by_label("Search in trials").fill("peru")
        assert seen(page, ".count") == "1 of 3 trials"

    def test_is_filtered_by_status_and_by_score(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory))
        page.get_by_label("status").select_option("failed")
        assert names(page) == ["example 2"]
        page.get_by_label("status").select_option("any status")
        page.get_by_label("score ≥").fill("0.5")
        assert names(page) == ["example 0"]

    def test_is_sorted_both_ways_by_each_column(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory))
        score = page.get_by_role("columnheader", name="Score")
        for order, found in (
            ("descending", ["example 0", "example 1", "example 2"]),
            ("ascending", ["example 1", "example 0", "example 2"]),  # without one: last
        ):
            score.get_by_role("button").click()
            assert score.get_attribute("aria-sort") == order
            assert names(page) == found
        page.get_by_role("button", name="Time").click()
        assert names(page)[2] == "example 2"

    def test_opens_a_trial_and_comes_back_to_it(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory))
        page.locator(ROWS).nth(1).click(position={"x": 300, "y": 10})  # anywhere in the row
        is_open(page, "example 1")
        assert page.locator(STEPS).count() == 5
        page.locator(".step.lm > summary").click()
        assert "And of Peru?" in seen(page, ".step.lm pre >> nth=1")
        shot(page, "trial")
        page.go_back()
        is_open(page, "capitals")
        assert names(page) == ["example 0", "example 1", "example 2"]
        assert page.evaluate("document.activeElement.textContent") == "example 1"

    def test_has_an_address_for_each_trial(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory), "#trial-3")
        assert "RateLimitError: slow down" in seen(page, ".failure")
        assert "in Capital › lm openai/gpt-4o" in seen(page, ".failure")

    def test_says_what_there_is_where_scripts_are_off(
        self, capitals: Any, memory: Store, opened: "Opened"
    ) -> None:
        page = opened(view_experiment(capitals.id, memory), java_script_enabled=False)
        assert f"dspy-profiles trace {capitals.id}" in seen(page, "noscript")
        assert "short prompts do" in seen(page, "main")

    def test_of_ten_thousand_trials_is_shown_a_page_at_a_time(
        self, book: Callable[..., Any], memory: Store, opened: "Opened"
    ) -> None:
        made = book()
        for number in range(10_000):
            trial = made.new_id()
            opens = {"kind": "example", "name": f"example {number}"}
            asked = {"inputs": {"question": f"number {number}?"}}
            lm = made.begin("lm", "model", number, trial=trial, opens=opens, attributes=asked)
            made.end(lm, number + 1, trial, outputs=["yes"], cost=0.0)
        page = opened(view_experiment(made.close(10_001).id, memory))
        assert page.locator(ROWS).count() == 100
        assert seen(page, ".count") == "10,000 trials"
        page.get_by_role("button", name="Next").click()
        assert names(page)[0] == "example 100"
        page.get_by_role("button", name="Trial").click()
        page.get_by_role("button", name="Trial").click()
        assert names(page)[0] == "example 9999"
        page.get_by_label("Search in trials").fill("number 8765?")
        assert names(page) == ["example 8765"]
        page.locator(f"{ROWS} a").click()
        is_open(page, "example 8765")


def test_all_of_it_goes_by_keyboard_alone(capitals: Any, memory: Store, opened: "Opened") -> None:
    page = opened(view_experiment(capitals.id, memory))
    press = page.keyboard.press

    def here() -> str:
        return str(page.evaluate("document.activeElement.innerText"))

    press("Tab")
    assert here() == "Skip to the trials"
    press("Enter")
    assert here() == "example 0"
    press("/")
    page.keyboard.type("peru")
    assert names(page) == ["example 1"]
    press("Escape")  # once for the words, once to leave the field
    press("Escape")
    assert len(names(page)) == 3
    press("j")
    press("j")
    press("k")
    press("ArrowDown")
    assert here() == "example 1"
    press("Enter")
    is_open(page, "example 1")
    for _ in range(3):
        press("j")
    assert "openai/gpt-4o" in here()
    press("Enter")
    assert "And of Peru?" in seen(page, ".step[open] pre >> nth=1")
    press("Tab")
    assert "Your input fields are" in here()
    press("j")  # from within it to the next
    assert "ChatAdapter parse" in here()
    for key, name in (("n", "example 2"), ("p", "example 1"), ("p", "example 0")):
        press(key)
        is_open(page, name)
    press("/")
    page.keyboard.type("paris metric")
    assert page.locator(STEPS).count() == 0
    press("Escape")
    press("Escape")
    assert page.locator(STEPS).count() == 5
    press("Escape")
    is_open(page, "capitals")
    assert here() == "example 0"
    press("Shift+Tab")  # to the head of the last column
    press("Enter")
    assert page.get_by_role("columnheader", name="When").get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize("kind", ["experiment", "trial", "list", "notebook"])
def test_nothing_that_was_recorded_is_run(
    hostile: Any, memory: Store, opened: "Opened", tmp_path: Path, kind: str
) -> None:
    view = {
        "experiment": view_experiment(hostile.id, memory),
        "trial": view_trial(hostile.id, "1", memory),
        "list": view_list(memory.query_experiments()),
        "notebook": in_notebook(view_trial(hostile.id, "1", memory), tmp_path),
    }[kind]
    page = opened(view)
    if kind == "experiment":
        page.locator(f"{ROWS} a").first.click()
    unfold(page)
    assert page.evaluate("[window.harmed, document.querySelectorAll('img, svg').length]") == [
        None,
        0,
    ]
    said = page.evaluate("document.body.innerText")
    assert "</script><script>window.harmed = 1" in said
    if kind != "list":  # which has no room for more
        assert "{{ 7 * 7 }}" in said
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", said)


def test_a_text_is_there_to_the_letter_and_runs_its_own_way(
    book: Callable[..., Any], memory: Store, opened: "Opened"
) -> None:
    made = book()
    question = "👩‍👩‍👧 é  two blanks\n\ttab </pre> &amp; שלום"
    made.call(1, question=question)
    made.call(500, question="שלום עולם", answer="مرحبا")
    made.close(1000)
    page = opened(view_experiment(made.id, memory), "#trial-1")
    page.locator(".step.module > summary").click()
    assert question.splitlines()[0] in page.locator(".step.module pre").first.inner_text()
    assert "\ttab </pre> &amp; שלום" in page.locator(".step.module pre").first.inner_text()
    page.keyboard.press("n")
    page.locator(".step.lm > summary").click()
    answer = page.locator(".step.lm .answer pre")
    assert "مرحبا" in answer.inner_text()
    title = page.locator(".step.module .asked")
    assert title.evaluate("node => node.matches(':dir(rtl)')")


def test_a_megabyte_is_shown_on_request(
    book: Callable[..., Any], memory: Store, opened: "Opened"
) -> None:
    made = book()
    made.call(1, answer="word " * 200_000 + "the end")
    made.close(1000)
    page = opened(view_trial(made.id, "1", memory))
    page.locator(".step.lm > summary").click()
    answer = page.locator(".step.lm .answer")
    assert len(answer.locator("pre").inner_text()) < 25_000
    answer.get_by_role("button").click()
    assert "the end" in answer.locator("pre").inner_text()
    short = opened(view_experiment(made.id, memory), "#trial-1")
    short.locator(".step.lm > summary").click()
    assert f"dspy-profiles trace {made.id} 1 --html" in seen(short, ".step.lm .answer .note")


def test_the_scale_of_a_trial_reaches_to_its_last_step(
    book: Callable[..., Any], memory: Store, opened: "Opened"
) -> None:
    made = book()
    trial = made.new_id()
    call = made.begin("module", "Capital", 10, trial=trial, opens={"kind": "call"})
    made.end(call, 10, trial, error="ValueError: no")
    made.score(0.0, 87, trial)
    made.score(0.0, 95, made.call(91, lm=2))
    view = view_experiment(made.close(100).id, memory)
    page = opened(view, "#trial-1")
    assert page.locator(".scale span").all_inner_texts() == ["0", "77 ms"]
    page = opened(view, "#trial-2")
    assert page.locator(".scale span").all_inner_texts() == ["0", "4 ms"]


def test_keys_are_named_where_there_is_something_to_go_through(
    book: Callable[..., Any], capitals: Any, memory: Store, opened: "Opened"
) -> None:
    empty = book(id="0" * 25 + "2").close(1)
    assert not opened(view_experiment(empty.id, memory)).locator(".keys").is_visible()
    for view in (view_experiment(capitals.id, memory), view_trial(capitals.id, "1", memory)):
        assert opened(view).locator(".keys").is_visible()
    off = opened(view_experiment(capitals.id, memory), java_script_enabled=False)
    assert not off.locator(".keys").is_visible()


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_it_can_be_read_wide_and_narrow_in_light_and_dark(
    capitals: Any, memory: Store, opened: "Opened", width: int
) -> None:
    views = {
        "experiment": (view_experiment(capitals.id, memory), ""),
        "trial-that-failed": (view_experiment(capitals.id, memory), "#trial-3"),
        "trial": (view_trial(capitals.id, "1", memory), ""),
        "list": (view_list(memory.query_experiments()), ""),
    }
    for name, (view, part) in views.items():
        page = opened(view, part, width)
        unfold(page)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            shot(page, f"{name}-{width}-{scheme}")
            assert page.evaluate(f"({LOOKING}).faint()") == [], (name, scheme)
        assert page.evaluate(f"({LOOKING}).unsaid()") == [], name
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], name


@pytest.mark.parametrize("colours", [("#fff", "rgba(0, 0, 0, .87)"), ("#111", "#fff")])
def test_in_a_notebook_it_can_be_read_on_white_and_on_black(
    capitals: Any, memory: Store, opened: "Opened", tmp_path: Path, colours: tuple[str, str]
) -> None:
    views = (view_experiment(capitals.id, memory), view_trial(capitals.id, "3", memory))
    for name, view in zip(("experiment", "trial"), views, strict=True):
        page = opened(in_notebook(view, tmp_path, *colours))
        unfold(page)
        shot(page, f"notebook-{name}-{colours[0][1:]}")
        assert page.evaluate(f"({LOOKING}).faint()") == [], name


def test_in_a_notebook_it_fits_a_narrow_cell(
    capitals: Any, memory: Store, opened: "Opened", tmp_path: Path
) -> None:
    views = {
        "experiment": view_experiment(capitals.id, memory),
        "trial": view_trial(capitals.id, "1", memory),
        "trial-that-failed": view_trial(capitals.id, "3", memory),
        "list": view_list(memory.query_experiments()),
    }
    for name, view in views.items():
        page = opened(in_notebook(view, tmp_path, size=16), width=NARROW)
        unfold(page)
        shot(page, f"notebook-{name}-{NARROW}")
        widths = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert widths[0] <= widths[1], name


def unfold(page: "Page") -> None:
    closed = page.locator("details:not([open]) > summary:visible")
    while closed.count():
        closed.first.click()


def in_notebook(
    view: Any, folder: Path, ground: str = "#fff", text: str = "#000", size: int = 14
) -> Path:
    """A page with nothing in it but what a notebook would show."""
    path = folder / "notebook.html"
    style = f"background:{ground};color:{text};font:{size}px sans-serif"
    shown = view._repr_html_()
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,">'
        f'<title>n</title><body style="{style}">{shown}',
        encoding="utf-8",
    )
    return path


def test_where_the_focus_is_can_always_be_seen(
    capitals: Any, memory: Store, opened: "Opened"
) -> None:
    for part, least in (("", 15), ("#trial-1", 7)):
        page = opened(view_experiment(capitals.id, memory), part)
        page.evaluate(f"window.looking = {LOOKING}; null")
        stops = []
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement === document.body"):
                break
            stops.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
            assert page.evaluate("looking.isSeen()"), stops[-1]
        assert len(stops) >= least
