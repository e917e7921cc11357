"""What looks like a key is found, with its line, and never shown."""

import json
from typing import Any

import pytest

from dspy_profiles.calls.cassettes import scan
from dspy_profiles.errors import InvalidFile
from dspy_profiles.secrets import Names

SECRETS = {
    "an API key": "sk-proj-abcDEF0123456789abcdef",
    "an AWS access key": "AKIAIOSFODNN7EXAMPLE",
    "a GitHub token": "ghp_abcdefghijklmnopqrst0123456789ABCDEF",
    "a Slack token": "xoxb-123456789012-abcdefABCDEF",
    "a Google API key": "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    "a Hugging Face token": "hf_abcdefghijklmnopqrst0123456789",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "a bearer token": "Bearer abcdef0123456789abcdef",
    "a password in an address": "hidden:pa55word",
    "a JSON web token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.SflKxwRJSMeKKF2QT4",
}


@pytest.fixture
def found(path: Any) -> Any:
    def found(*lines: Any, names: Any = None) -> Any:
        path.parent.mkdir(exist_ok=True)
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text(text + "\n")
        return scan(path, names)

    return found


@pytest.mark.parametrize("what", SECRETS)
def test_a_key_is_found_wherever_it_stands(what: Any, found: Any) -> None:
    secret = SECRETS[what]
    address = f"https://{secret}@example.org" if "address" in what else secret
    (finding,) = found({"cassette": 1}, {"a": [{"b": f"it is\n{address}\nindeed"}]})
    assert (finding.what, finding.where.line) == (what, 2)
    assert secret not in str(finding)
    assert secret[8:] not in str(finding)


def test_of_a_short_password_nothing_is_shown(found: Any) -> None:
    (finding,) = found({"cassette": 1}, "postgresql://me:pa55@example.org/a")
    assert finding.excerpt == "m… (7 characters)"


def test_a_random_value_under_the_name_of_a_secret_is_found(found: Any) -> None:
    findings = found(
        {"api_key": "9f8e7d6c5b4a39281706", "x": 'password = "q1w2e3r4t5y6u7i8"'},
        {"max_tokens": "9f8e7d6c5b4a39281706", "api_key": "${OPENAI_API_KEY}", "token": "none"},
        {"x_code": "9f8e7d6c5b4a39281706"},
        names=Names.extended(["x_code"], []),
    )
    said = [(each.where.line, each.what) for each in findings]
    assert said == [
        (1, 'a value of "api_key"'),
        (1, 'a value of "password"'),
        (3, 'a value of "x_code"'),
    ]


def test_ordinary_text_is_no_secret(
    found: Any, path: Any, playing: Any, lm_of: Any, ask: Any
) -> None:
    assert not found(
        "The skeleton of a task-based approach: sk-learn, risk-taking, AKIA, tokens: many words",
        {"text": "the bearer of bad news", "key": "a1b2c3d4e5f6a7b8c9d0", "sha256": "ab" * 32},
        {"url": "https://example.org/a:b@c", "token": " some words "},
        {"id": "call_abcdefghijklmnopqrst", "part": "0123456789abcdef"},
    )
    with playing("all", lm_of("Paris")):
        ask("Which passwords, tokens and keys are there?")
    assert scan(path) == []


def test_a_broken_line_is_looked_through_as_well(found: Any) -> None:
    (finding,) = found('{"cassette":1}', '{"a": "sk-proj-abcDEF0123456789abcdef')
    assert finding.where.line == 2


def test_what_is_not_there_cannot_be_looked_through(path: Any) -> None:
    with pytest.raises(InvalidFile):
        scan(path)
