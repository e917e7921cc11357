"""Tab in IPython, in a stranger's project whose names are traps for a magic."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("IPython", reason="IPython is not installed")

from dspy_profiles.results import record
from dspy_profiles_ipython import _arguments as arguments
from dspy_profiles_ipython import _completion as completion

Write = Callable[[Path | str, str], Path]


def traps(mark: Path) -> list[str]:
    """Return names that a magic evaluates, takes for an option, or passes to the terminal."""
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    return [
        *(f"{{{code}}}", f"x{{{code}}}y", "$HOME", "${HOME}", "--list", "-x", "--set=lm.model=x"),
        *("clip\x1b]52;c;aGk=\x07", "csi\x9b31m", "bidi\u202e", "two\nlines", "a\ttab", "\x7f"),
    ]


SAFE = ["good", "two words", 'with "quotes"', "it's", "back\\slash", "a;b", "größe"]


@pytest.fixture
def names(stranger: None, mark: Path, write: Write) -> list[str]:
    """Profiles with all of these names."""
    every = [*SAFE, *traps(mark)]
    tables = [f'[{_quoted(name)}]\nlm.model = "openai/x"\n' for name in every]
    write("profiles.toml", "".join(tables))
    return every


def _quoted(name: str) -> str:
    return json.dumps(name).replace("\x7f", "\\u007f")


def offered(magic: str, words: str) -> list[str]:
    return completion.complete(magic, words, is_cell=False).texts


@pytest.mark.parametrize(("magic", "words"), [("profile", ""), ("results", "--profile ")])
def test_profiles(names: list[str], mark: Path, magic: str, words: str) -> None:
    """Before: Tab evaluated the expressions in the names, and offered all of them."""
    texts = offered(magic, words)
    assert not mark.exists()
    read = [word for text in texts for word in arguments.tokenize(text)]
    assert sorted(read) == sorted([*SAFE, "mock"])
    for text in texts:
        assert arguments.parse_words(text, {"good": 1}) == arguments.tokenize(text)
    assert not mark.exists()


def test_experiments(stranger: None, mark: Path) -> None:
    """Before: as with profiles."""
    for name in [*SAFE, *traps(mark)]:
        with record(name):
            pass
    read = [arguments.tokenize(text)[0] for text in offered("trace", "")]
    assert not mark.exists()
    assert set(SAFE) < set(read)
    assert not set(traps(mark)) & set(read)


def test_cassettes(stranger: None, mark: Path, write: Write) -> None:
    """Before: as with profiles."""
    for name in ["good", "two words", "{1/0}", "$x", "-x", "esc\x1b]0;t\x07", "bidi\u202e"]:
        write(f"{name}.jsonl", "")
    assert offered("profile", "good --cassette ") == ["good.jsonl", '"two words.jsonl"']


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("profiles.toml", "x = \n"),
        ("profiles.toml", "\ufffe"),
        ("pyproject.toml", "[tool.dspy-profiles]\nstore = 'postgresql://nobody@127.0.0.1:1/d'\n"),
        ("pyproject.toml", "[tool.dspy-profiles]\nnonsense = 1\n"),
        (".env", "not a line\nPYTHONPATH=x\n"),
    ],
)
def test_nothing_is_printed(
    stranger: None, write: Write, file: str, text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    write(file, text)
    for magic, words in (("profile", ""), ("profile", "--set "), ("trace", ""), ("trace", "x ")):
        offered(magic, words)
    assert capfd.readouterr() == ("", "")
