"""What a notebook and a terminal show."""

import os
import re
from html.parser import HTMLParser
from typing import Any

import pytest

CANARY = "sk-canary-4711-never-shown"


class Page(HTMLParser):
    """Reads a piece of HTML, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: Any, attrs: Any) -> None:
        self.open.append(tag)
        self.seen += [tag, *(name for name, _ in attrs)]

    def handle_endtag(self, tag: Any) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: Any) -> None:
        self.texts.append(data)


def html_of(said: Any) -> Page:
    (shown,) = said.shown
    return Page(shown["text/html"])


def test_both_forms_say_the_same(shell: Any) -> None:
    for line in ("dev", "--list", "--show prod"):
        said = shell(f"%dspy_profile {line}")
        texts = " ".join(html_of(said).texts).split()
        plain = said.shown[0]["text/plain"].lower()
        assert [word for word in texts if word.lower() not in plain] == []


def test_html_stands_alone_and_runs_nothing(shell: Any) -> None:
    for line in ("dev", "--list"):
        page = html_of(shell(f"%dspy_profile {line}"))
        assert set(page.seen) <= {"div", "span", "b", "table", "tbody", "tr", "td", "style"}
        text = shell(f"%dspy_profile {line}").shown[0]["text/html"]
        assert not re.search(r"https?:|url\(|<script|@import", text)


def test_everything_from_a_file_is_escaped(shell: Any, write: Any) -> None:
    evil = "<script>alert(1)</script>&\\\"'"
    write(
        "profiles.toml",
        f'["{evil}"]\ndescription = "{evil}"\n["{evil}".provider]\nclass = "mock"\n'
        f'["{evil}".lm]\nmodel = "{evil}"\n"{evil}" = 1\n',
    )
    for line in ("--list", f'--show "{evil}"'):
        said = shell(f"%dspy_profile {line}")
        assert said.error is None
        assert "script" not in html_of(said).seen
        assert "<script>alert(1)</script>&\"'" in "".join(html_of(said).texts)


def test_nothing_from_a_file_drives_the_terminal(shell: Any, write: Any) -> None:
    write(
        "profiles.toml",
        '[red]\ndescription = "a\\u001b[31mb\\nc"\n[red.lm]\nmodel = "x\\r\\u001b]0;t\\u0007"\n'
        '[red.provider]\nclass = "mock"\n',
    )
    for line in ("--list", "--show red"):
        text = shell(f"%dspy_profile {line}").shown[0]["text/plain"]
        assert all(c.isprintable() or c == "\n" for c in text)
        assert "␛" in text


def test_a_long_value_does_not_break_the_table(shell: Any, write: Any) -> None:
    long = "word " * 100
    write("profiles.toml", f'[a.lm]\nmodel = "{long}"\n[a.provider]\nclass = "mock"\n')
    said = shell("%dspy_profile --show a")
    assert max(map(len, said.shown[0]["text/plain"].splitlines())) < 130
    assert long in "".join(html_of(said).texts)


def test_a_secret_is_a_reference_with_a_tick_or_a_cross(shell: Any, write: Any) -> None:
    os.environ["THERE"] = CANARY
    write(".env", f"IN_FILE={CANARY}-too\n")
    write(
        "profiles.toml",
        '[all.provider]\nclass = "mock"\n[all.lm]\nmodel = "m"\n'
        'api_key = "${THERE}"\nauth_token = "${IN_FILE}"\nmy_secret = "${NOWHERE}"\n'
        'other_secret = "${NOWHERE:-none}"\n',
    )
    said = shell("%dspy_profile --show all")
    lines = {line.split()[0]: line for line in said.text.splitlines()}
    assert lines["lm.api_key"].endswith("✓ set in the environment")
    assert lines["lm.auth_token"].endswith("✓ set in .env")
    assert lines["lm.my_secret"].endswith("✗ NOWHERE is not set")
    assert lines["lm.other_secret"].endswith("✓ NOWHERE is not set: fallback used")
    assert "✗ NOWHERE is not set" in "".join(html_of(said).texts)
    assert CANARY not in repr(said)


def test_a_secret_in_a_file_is_masked(shell: Any, write: Any) -> None:
    write("profiles.toml", f'[bare.lm]\nmodel = "m"\napi_key = "{CANARY}"\n')
    said = shell("%dspy_profile --show bare")
    assert "✗ plaintext secret" in said.text
    assert "plaintext secret" in shell("%dspy_profile --list").text
    for cell in ("%dspy_profile bare", "%%dspy_profile bare\n1", "%dspy_profile --list"):
        assert CANARY not in repr(shell(cell))
    assert CANARY not in repr(said)


def test_a_secret_that_was_resolved_is_masked_wherever_it_stands(shell: Any, write: Any) -> None:
    os.environ["THERE"] = CANARY
    write(
        "profiles.toml",
        f'[a]\ndescription = "not {CANARY}"\n'
        f'[a.lm]\nmodel = "x-{CANARY}"\napi_key = "${{THERE}}"\n',
    )
    said = shell("%dspy_profile a")
    assert said.error is None
    assert "${THERE}" in said.text
    for each in (said, shell("%dspy_profile"), shell("%dspy_profile --list")):
        assert CANARY not in repr(each)


@pytest.mark.parametrize("text", ["[empty]\n", "[empty]\ndescription = 'd'\n"])
def test_a_profile_that_sets_nothing_says_so(shell: Any, write: Any, text: Any) -> None:
    write("profiles.toml", text)
    assert "no values: DSPy's defaults apply" in shell("%dspy_profile --show empty").text
