"""`init`: a first profile by questions, by options, or not at all."""

import sys
from typing import Any

import pytest


def test_with_yes_it_asks_nothing_and_works_offline(cli: Any, home: Any) -> None:
    done = cli("init", "--yes")
    assert done.code == 0
    assert done.lines[0] == ["default is written", "~/.dspy/profiles.toml:1"]
    assert "dspy-profiles show default" in done.err
    assert "run --profile default" in done.err
    assert (home / ".dspy/profiles.toml").read_text() == '[default.provider]\nclass = "mock"\n'
    program = "import dspy; print(len(dspy.Predict('q -> a')(q='x').a) > 0)"
    assert cli("run", "--", sys.executable, "-c", program).out == "True\n"


@pytest.mark.parametrize(
    ("words", "written"),
    [
        (
            ["--provider", "openai"],
            'model = "openai/gpt-4o-mini"\napi_key = "${OPENAI_API_KEY}"\n',
        ),
        (
            ["--provider", "Anthropic", "--model", "claude-x", "--key-variable", "$MY_KEY"],
            'model = "anthropic/claude-x"\napi_key = "${MY_KEY}"\n',
        ),
        (
            ["--model", "gemini/gemini-2.5-pro"],
            'model = "gemini/gemini-2.5-pro"\napi_key = "${GEMINI_API_KEY}"\n',
        ),
        (
            ["--model", "groq/llama"],
            'model = "groq/llama"\napi_key = "${GROQ_API_KEY}"\n',
        ),
        (
            ["--provider", "ollama"],
            'model = "ollama_chat/llama3.2"\napi_base = "http://localhost:11434"\n',
        ),
        (
            [
                "--provider",
                "compatible",
                "--model",
                "meta/l",
                "--api-base",
                "https://h/v1",
                "--key-variable",
                "none",
            ],
            'model = "openai/meta/l"\napi_base = "https://h/v1"\n',
        ),
    ],
)
def test_options_say_it_all(cli: Any, project: Any, words: Any, written: Any) -> None:
    done = cli("init", "--yes", "--profile", "p", "--project", *words)
    assert done.code == 0, done.err
    assert (project / "profiles.toml").read_text() == f"[p.lm]\n{written}"
    assert cli("show", "p").code == 0


def test_a_description_is_written_and_other_profiles_stay(cli: Any, write: Any) -> None:
    path = write("profiles.toml", "# mine\n[a.lm]\nmodel = 'x/y'\n")
    assert cli("init", "--yes", "--profile", "b", "--description", "for tests").code == 0
    assert path.read_text() == (
        "# mine\n[a.lm]\nmodel = 'x/y'\n\n"
        '[b]\ndescription = "for tests"\n\n[b.provider]\nclass = "mock"\n'
    )


def test_it_says_how_to_set_a_variable_that_is_not_set(cli: Any, canary: str) -> None:
    words = ["init", "--yes", "--provider", "openai", "--profile"]
    done = cli(*words, "a")
    assert "OPENAI_API_KEY is not set: add OPENAI_API_KEY=… to .env" in done.err
    assert "export OPENAI_API_KEY=…" in done.err
    assert "is not set" not in cli(*words, "b", env={"OPENAI_API_KEY": canary}).err


def test_hints_are_commands_that_a_shell_takes(quick: Any) -> None:
    done = quick("init", "--yes", "--profile", "it's odd", "--file", "a b.toml")
    odd = "'it'\"'\"'s odd'"
    assert f"dspy-profiles show {odd} --file 'a b.toml'" in done.err
    assert f"dspy-profiles use {odd} " in done.err
    assert f"(dspy-profiles use {odd})" in quick("show", "it's odd", "--file", "a b.toml").out


def test_an_existing_profile_is_never_overwritten(cli: Any, write: Any) -> None:
    path = write("profiles.toml", "[default.lm]\nmodel = 'x/y'\n")
    before = path.read_text()
    done = cli("init", "--yes")
    assert done.code == 4
    assert 'profile "default" already exists' in done.err
    assert path.read_text() == before


KEYS = [
    "sk-canary-4f1c9a7e2b",
    "sk-proj-canary4f1c9a7e2bX",
    "AIzaSyCanary4f1c9a7e2bX4f1c9a7e2bX4f1c",
    "gsk_canary4f1c9a7e2bX4f1c9",
    "0123456789abcdef0123456789abcdef",
    "AKIACANARY4F1C9A7E2B",
    "xai-canary",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_the_place_of_a_name_is_refused_and_not_repeated(
    cli: Any, home: Any, key: Any
) -> None:
    words = ["init", "--yes", "--provider", "openai"]
    done = cli(*words, "--key-variable", key)
    assert done.code in (4, 5)
    assert "not a valid variable name" in done.err
    assert key not in done.out + done.err
    assert not (home / ".dspy").exists()


@pytest.mark.parametrize("option", ["--model", "--description", "--profile", "--api-base"])
def test_a_key_anywhere_else_is_refused_too(cli: Any, home: Any, canary: str, option: Any) -> None:
    done = cli("init", "--yes", "--provider", "ollama", option, canary)
    assert done.code == 5
    assert not (home / ".dspy").exists()


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "my_key", "KEY2", "AZURE_OPENAI_KEY_2024"])
def test_names_are_taken(cli: Any, name: Any) -> None:
    words = ["init", "--yes", "--provider", "openai", "--key-variable", f"${{{name}}}"]
    assert cli(*words).code == 0
    assert cli("get", "default", "lm.api_key").out == f"${{{name}}}\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "--yes"),
        (["--yes", "--provider", "opnai"], 4, 'did you mean "openai"?'),
        (["--yes", "--provider", "compatible"], 2, "model"),
        (["--yes", "--profile", ""], 4, "is not a valid profile name"),
        (["--yes", "--provider", "mock", "--model", "a/b"], 2, "takes no model"),
        (["--yes", "--key-variable", "X"], 2, "takes no model"),
        (["--yes", "--user", "--project"], 2, "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused(cli: Any, home: Any, words: Any, code: Any, said: Any) -> None:
    done = cli("init", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert not (home / ".dspy").exists()


def test_a_person_is_asked(terminal: Any, project: Any, write: Any) -> None:
    write("profiles.toml", "[a.lm]\nmodel = 'x/y'\n")
    screen = terminal("init").until("Name of the profile [default]").type("a")
    screen.until('profile "a" already exists').until("Name of the profile").type("dev")
    screen.until("1").until("openai").until("needs a key\r\n").until("ollama").until("mock")
    screen.until("Provider [openai]").type("opnai").until('did you mean "openai"')
    screen.until("Provider").type("2").until("Model").until("claude-haiku-4-5")
    screen.until("[anthropic/claude-sonnet-4-5]").type("")
    screen.until("[ANTHROPIC_API_KEY]").type("").until(" is written")
    assert screen.end() == 0
    assert "dspy-profiles show dev" in screen.seen
    assert (project / "profiles.toml").read_text().endswith(
        '[dev.lm]\nmodel = "anthropic/claude-sonnet-4-5"\napi_key = "${ANTHROPIC_API_KEY}"\n'
    )  # fmt: skip


def test_a_person_who_pastes_a_key_is_asked_again(terminal: Any, home: Any) -> None:
    screen = terminal("init", "--profile", "p", "--provider", "compatible")
    screen.until("Model:").type("llama").until("Address").type("http://h:1")
    screen.until("Variable").until(": ").type("sk-not-a-name-at-all-1234")
    screen.until("not a valid variable name").until("Variable").until(": ").type("MY_KEY")
    assert screen.end() == 0
    assert screen.seen.count("sk-not-a-name") <= 1  # what the terminal itself echoes
    assert 'api_key = "${MY_KEY}"' in (home / ".dspy/profiles.toml").read_text()


@pytest.mark.parametrize("how", ["interrupt", "end of input"])
def test_a_person_who_gives_up_leaves_nothing(
    terminal: Any, home: Any, project: Any, how: Any
) -> None:
    screen = terminal("init").until("Name of the profile").type("x").until("Provider [openai]: ")
    if how == "interrupt":
        screen.interrupt()
    else:
        screen.child.sendeof()
    assert screen.end() == 130
    assert "nothing was changed" in screen.seen
    assert not (home / ".dspy").exists()
    assert [path.name for path in project.iterdir()] == [".git"]
