"""A secret is masked however a program spells it; ordinary words are not."""

import random
import string
import threading
from typing import Any

import pytest

from dspy_profiles.secrets import _known as known
from dspy_profiles.secrets import redact, redact_shortened, remember

from .spellings import spellings, traces

KEY = "sk-Canary-7f3A9c-0d4B"
PASSWORD = "p/ss+w'rd <\u00e4&\"9c\\0d>"
LINES = [
    "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj",
    "MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu",
    "NMoSfm76oqFvAp8Gy0iz5sxjZmSnXyCdPEovGhLa0VzMaQ8s+CLOyS56YyCFGeJZ",
    "qgtzJ6GR3eqoYSW9b9UMvkBpZODSctWSNGj3P7jRFDO5VoTwCQAWbFnOjDfH5Ulg",
]
PEM = "\n".join(["-----BEGIN PRIVATE KEY-----", *LINES, "-----END PRIVATE KEY-----", ""])


@pytest.mark.parametrize("value", [KEY, PASSWORD, PEM], ids=["key", "password", "PEM"])
@pytest.mark.parametrize("spelling", spellings(KEY))
def test_a_secret_is_masked_in_each_spelling(value: str, spelling: str) -> None:
    text = spellings(value)[spelling]
    remember(value, "${KEY}")
    shown = redact(f"before {text} after").encode()
    assert b"${KEY}" in shown
    assert not [trace for trace in traces(value) if trace in shown]


@pytest.mark.parametrize("before", range(6))
def test_base64_of_a_longer_text_shows_no_secret_at_any_offset(before: int) -> None:
    import base64

    remember(KEY, "${KEY}")
    text = base64.b64encode(b"x" * before + KEY.encode() + b" and more").decode()
    assert KEY[3:-3] not in _decoded(redact(text))


def _decoded(text: str) -> str:
    """Return what is left of base64 after masking, decoded as far as it can be."""
    import base64

    parts = text.split("${KEY}")
    whole = [part[: len(part) // 4 * 4] for part in parts]
    return "".join(base64.b64decode(part).decode("latin-1") for part in whole)


@pytest.mark.parametrize("line", LINES)
def test_no_line_of_a_key_gets_out(line: str) -> None:
    remember(PEM, "${PEM}")
    assert redact(f"line: {line}.") == "line: ${PEM}."


def test_the_marks_around_a_key_are_not_secret() -> None:
    remember(PEM, "${PEM}")
    marks = "-----BEGIN PRIVATE KEY-----, -----END PRIVATE KEY-----, { }"
    assert redact(marks) == marks


def test_a_key_inside_a_json_file_is_masked_line_by_line() -> None:
    import json

    remember(json.dumps({"type": "service_account", "private_key": PEM}), "${GCP}")
    assert redact(f"x {LINES[1]} y") == "x ${GCP} y"
    assert redact("a service_account") == "a service_account"


def test_the_password_in_the_token_of_basic_authentication_is_masked() -> None:
    import base64

    remember("Basic " + base64.b64encode(f"me:{KEY}".encode()).decode(), "${AUTH}")
    assert redact(f"me and {KEY}") == "me and ${AUTH}"


@pytest.mark.parametrize("word", ["admin", "secret12", "test-key", "configuration"])
def test_a_word_is_masked_as_it_is_written_alone(word: str) -> None:
    remember(word, "${WORD}")
    assert redact(f"{word} {word.upper()}") == f"${{WORD}} {word.upper()}"


def test_a_short_word_is_not_masked_in_base64_or_hex() -> None:
    remember("admin", "${WORD}")
    text = "YWRtaW4= 61646d696e"
    assert redact(text) == text


def test_the_longest_of_many_secrets_is_replaced_first() -> None:
    for length in range(8, 40):
        remember("aB3$x(y)[z]*" * 4 + "q" * length, f"${{K{length}}}")
    text = "aB3$x(y)[z]*" * 4 + "q" * 39
    assert redact(text) == "${K39}"


@pytest.fixture(params=["few", "many"])
def secrets(request: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Secrets with signs of regular expressions; many are searched for with one of those."""
    monkeypatch.setattr(known, "WORTH", 0)
    drawn = random.Random(7)
    signs = string.ascii_letters + string.digits + ".*+?^$()[]{}|\\/-_"
    count = 2 if request.param == "few" else 60
    secrets = ["".join(drawn.choices(signs, k=drawn.randint(4, 70))) for _ in range(count)]
    for number, secret in enumerate(secrets):
        remember(secret, f"<{number}>")
    return secrets


def test_each_of_many_secrets_is_found_in_a_long_text(secrets: list[str]) -> None:
    clean = "An ordinary sentence, with 42 numbers. " * 300
    assert redact(clean) == clean
    for number, secret in enumerate(secrets):
        assert redact(f"{clean}{secret} {clean}") == f"{clean}<{number}> {clean}"
    assert redact(clean) == clean


def test_each_of_many_secrets_is_found_in_other_spellings(secrets: list[str]) -> None:
    assert redact("a short one") == "a short one"
    for number, secret in enumerate(secrets):
        if len(secret) >= 12:
            for name, text in spellings(secret).items():
                assert f"<{number}>" in redact(f"x {text} y"), (name, secret)


def test_secrets_that_threads_add_are_found_at_once() -> None:
    missed = []

    def add(thread: int) -> None:
        for number in range(50):
            secret = f"thread-{thread}-secret-{number}-7f3a"
            remember(secret, "${X}")
            if secret in redact(f"a {secret} b"):
                missed.append(secret)

    threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not missed


def test_half_of_an_encoded_secret_beside_dots_is_masked() -> None:
    remember(KEY, "${KEY}")
    encoded = spellings(KEY)["base64"]
    assert redact_shortened(f"'{encoded[:14]}...'") == "'${KEY}...'"
    assert redact_shortened("SK-C...") == "SK-C..."
