"""`export`: what a profile comes to in other forms, each of which means the same."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

FILE = """\
[base.lm]
model = "openai/gpt-4o"
api_key = "${OPENAI_API_KEY}"
temperature = "${TEMPERATURE:-0.5}"

[full]
extends = "base"
description = 'paid, "slow"'

[full.lm]
max_tokens = 1000
extra_headers = { Authorization = "Bearer ${TOKEN}", "X y" = "$${literal}" }
stop = ["a", "7", "true"]

[full.rm]
url = "http://localhost:1/x"

[full.adapter]
class = "dspy.TwoStepAdapter"
extraction_model = "teacher"

[full.settings]
num_threads = 3
track_usage = true

[full.lms.teacher]
model = "openai/o3"
max_tokens = 32000
temperature = 1.0
api_key = "file:key"

[full.lms."Odd one"]
model = "a/b"

[full.embedder]
model = "openai/text-embedding-3-small"
dimensions = 8

[full.env]
LITELLM_LOCAL_MODEL_COST_MAP = "True"
SPACED = "a b ' \\" \\\\ # é"

[offline]
provider = { class = "mock", answers = { answer = "Paris" } }
settings.num_threads = 2

[empty]
"""


@pytest.fixture
def profiles(write: Any, canary: str) -> Any:
    write("key", f"{canary}\n")
    return write("profiles.toml", FILE)


def values(cli: Any, name: Any, *more: Any) -> Any:
    found = cli("show", name, "--json", *more).json["values"]
    return {each["key"]: each["value"] for each in found}


@pytest.mark.parametrize("name", ["full", "base", "offline", "empty", "mock"])
def test_toml_resolves_to_the_same(cli: Any, profiles: Any, project: Any, name: Any) -> None:
    before = values(cli, name)
    assert cli("export", name, "--out", "sub.toml").code == 0
    after = values(cli, name, "--file", "sub.toml")
    key = f"file:{project}/key"
    assert after == {k: key if v == "file:key" else v for k, v in before.items()}


@pytest.mark.parametrize("name", ["full", "base", "offline"])
def test_variables_import_back(cli: Any, profiles: Any, project: Any, name: Any) -> None:
    done = cli("export", name, "--format", "env")
    assert (done.code, done.err) == (0, "")
    (project / "x.env").write_text(done.out)
    back = cli("import", "x.env", "--profile", "back")
    assert back.code == 0, back.err
    key = f"file:{project}/key"
    before = {k: key if v == "file:key" else v for k, v in values(cli, name).items()}
    assert values(cli, "back") == before
    assert cli("diff", name, "back").out.count("file:") == (2 if name == "full" else 0)


def test_a_variable_is_not_exported_as_a_reference_to_itself(quick: Any, write: Any) -> None:
    write(
        "profiles.toml",
        '[p.lm]\nmodel = "a/b"\napi_key = "${DSPY_LM_API_KEY}"\n'
        '[q]\nextends = "p"\nlm.api_key = "env:DSPY_LM_API_KEY"\n',
    )
    for name in ("p", "q"):
        assert quick("export", name, "--format", "env").out.splitlines() == [
            "DSPY_LM_MODEL=a/b",
            "# DSPY_LM_API_KEY is set in the environment",
        ]


def test_json_for_programs(cli: Any, profiles: Any) -> None:
    payload = cli("export", "base", "--format", "json").json
    assert payload == {
        "name": "base",
        "profile": {
            "lm": {
                "model": "openai/gpt-4o",
                "api_key": "${OPENAI_API_KEY}",
                "temperature": "${TEMPERATURE:-0.5}",
            }
        },
    }
    assert cli("export", "base", "--format", "json", "--out", "b.json").code == 0
    assert json.loads((profiles.parent / "b.json").read_text()) == {"version": 1, **payload}


TELL = """
import json, sys, dspy
if sys.argv[1] == "program":
    exec(compile(open("program.py").read(), "program.py", "exec"))
    from contextlib import nullcontext as block
else:
    from dspy_profiles import profile
    import dspy_profiles
    block = lambda: profile("full")
with block():
    s = dspy.settings
    lm = s.lm
    found = {
        "lm": [lm.model, lm.kwargs, lm.cache],
        "rm": [type(s.rm).__name__, s.rm.url],
        "adapter": [type(s.adapter).__name__, s.adapter.extraction_model.model,
            s.adapter.extraction_model.kwargs],
        "settings": [s.num_threads, s.track_usage],
    }
    if sys.argv[1] == "program":
        found["more"] = [lms["Odd one"].model, embedder.model, embedder.default_kwargs]
    else:
        one = dspy_profiles.lm("full", role="Odd one")
        made = dspy_profiles.embedder("full")
        found["more"] = [one.model, made.model, made.default_kwargs]
import os
found["env"] = os.environ["SPACED"]
print(json.dumps(found, default=str, sort_keys=True))
"""


def test_a_program_does_what_the_profile_does(cli: Any, profiles: Any, project: Any) -> None:
    done = cli("export", "full", "--format", "python", "--out", "program.py")
    assert done.code == 0
    env = {**os.environ, "OPENAI_API_KEY": "k-1", "TOKEN": "t-1", "TEMPERATURE": "0.25"}

    def tell(which: Any) -> Any:
        command = [sys.executable, "-W", "error::SyntaxWarning", "-c", TELL, which]
        return json.loads(subprocess.run(command, capture_output=True, check=True, env=env).stdout)

    of_program, of_profile = tell("program"), tell("profile")
    assert of_program == of_profile
    assert of_program["lm"][1]["temperature"] == 0.25
    text = (project / "program.py").read_text()
    assert 'os.environ["OPENAI_API_KEY"]' in text
    assert "Needs these variables: OPENAI_API_KEY, TEMPERATURE, TOKEN" in text


def test_an_offline_program_answers_as_the_profile(cli: Any, profiles: Any, project: Any) -> None:
    program = cli("export", "offline", "--format", "python").out
    ask = 'print(dspy.Predict("question -> answer, why")(question="x"))\n'
    (project / "program.py").write_text(program + ask)
    ours = f"import dspy\nfrom dspy_profiles import profile\nwith profile('offline'):\n    {ask}"
    said = [
        subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True).stdout
        for words in (["program.py"], ["-c", ours])
    ]
    assert said[0] == said[1]
    assert "Paris" in said[0]


@pytest.mark.parametrize("form", ["toml", "json", "env", "python"])
def test_a_secret_in_clear_is_never_exported(
    cli: Any, write: Any, project: Any, canary: str, form: Any
) -> None:
    write("profiles.toml", f'[p.lm]\nmodel = "a/b"\napi_key = "{canary}"\n')
    done = cli("export", "p", "--format", form, "--out", "out", env={"X": canary})
    assert (done.code, done.out) == (5, "")
    assert not (project / "out").exists()


def test_a_program_says_whatever_a_profile_can(quick: Any, write: Any) -> None:
    write(
        "profiles.toml",
        """
        [odd.lm]
        model = "env:MODEL"
        api_key = "keyring:service/user"
        temperature = "${TEMPERATURE:-0.5}"
        max_tokens = "${MAX}"
        cache = "${CACHE:-true}"
        top_p = inf
        extra_headers = { a = "${A:-b}$${${Z}" }

        [odd.settings]
        track_usage = "${TRACK}"
        callbacks = ["my_pkg.inner:Made"]
        interpreter_factory = "my_pkg:make"
        since = 2026-01-31

        [odd.adapter]
        class = "dspy.ChatAdapter"
        callbacks = "my_pkg.Heard"
        """,
    )
    done = quick("export", "odd", "--format", "python")
    assert done.code == 0
    assert (
        done.out.partition("\n\n")[2]
        == """\
import dspy
import keyring
import my_pkg
import my_pkg.inner

lm = dspy.LM(
    model=os.environ["MODEL"],
    api_key=keyring.get_password("service", "user"),
    temperature=float(os.environ.get("TEMPERATURE") or "0.5"),
    max_tokens=int(os.environ["MAX"]),
    cache=(os.environ.get("CACHE") or "true").strip().lower() in ("true", "1", "yes"),
    top_p=float("inf"),
    extra_headers={"a": (os.environ.get("A") or "b") + "${" + os.environ["Z"]},
)

adapter = dspy.ChatAdapter(callbacks=[my_pkg.Heard])

dspy.configure(
    lm=lm,
    adapter=adapter,
    track_usage=os.environ["TRACK"].strip().lower() in ("true", "1", "yes"),
    callbacks=[my_pkg.inner.Made],
    interpreter_factory=my_pkg.make,
    since=datetime.date(2026, 1, 31),
)
"""
    )


def test_what_no_program_can_say_is_refused(cli: Any, write: Any) -> None:
    write(
        "profiles.toml",
        '[a.provider]\nclass = "my.Provider"\n'
        '[b.adapter]\nclass = "os.system(1)"\n'
        '[c.lm]\nmodel = "a/b"\n"class" = "x"\n'
        "[d.adapter]\ncallbacks = []\n",
    )
    for name in "abd":
        done = cli("export", name, "--format", "python")
        assert (done.code, done.out) == (4, "")
        assert "cannot be exported as Python" in done.err
    assert '**{"class": "x"}' in cli("export", "c", "--format", "python").out


def test_text_cannot_break_out_of_a_program(cli: Any, write: Any, project: Any) -> None:
    write(
        "profiles.toml",
        '["p\\u0022\\"\\"\\nimport x".lm]\nmodel = "a\\"); raise SystemExit(7) #"\n'
        '["p\\u0022\\"\\"\\nimport x"]\ndescription = "x\\n)raise SystemExit(8)\\n"\n',
    )
    done = cli("export", 'p"""\nimport x', "--format", "python", "--out", "p.py")
    assert done.code == 0
    assert subprocess.run([sys.executable, "p.py"], check=False).returncode == 0


def test_a_file_is_overwritten_only_with_yes_and_never_one_of_ours(
    cli: Any, profiles: Any, write: Any
) -> None:
    out = write("out.toml", "mine\n")
    done = cli("export", "base", "--out", "out.toml")
    assert done.code == 4
    assert "pass --yes to overwrite it" in done.err
    assert out.read_text() == "mine\n"
    assert cli("export", "base", "--out", "out.toml", "--yes").code == 0
    assert "[base.lm]" in out.read_text()
    write(".env", "X=1\n")
    for ours in ("profiles.toml", ".env"):
        done = cli("export", "base", "--out", ours, "--yes")
        assert done.code == 4
        assert "export would replace all of it" in done.err
    assert profiles.read_text() == FILE


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["nope"], 3),
        (["base", "--format", "yaml"], 2),
        (["base", "--out", "."], 4),
    ],
)
def test_what_cannot_be_is_refused(cli: Any, profiles: Any, words: Any, code: Any) -> None:
    done = cli("export", *words)
    assert (done.code, done.out) == (code, "")
    assert "Traceback" not in done.err
