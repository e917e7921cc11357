"""The profile is chosen, resolved and checked before anything is started."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from dspy_profiles import plugins
from dspy_profiles.cli import run as running
from dspy_profiles.errors import ProfileError
from dspy_profiles.run import launch

REPORT = """
import json, os, dspy
from dspy_profiles import current_profile
found = current_profile()
print(json.dumps({
    "name": found and found.name,
    "reason": found and found.reason,
    "model": dspy.settings.lm and dspy.settings.lm.model,
    "threads": dspy.settings.num_threads,
    "variable": os.environ.get("DSPY_PROFILE"),
    "path": os.environ.get("DSPY_PROFILES_PATH"),
}))
"""


def reported(done: subprocess.CompletedProcess[str]) -> dict[str, object]:
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


def test_the_option_goes_before_the_variable_and_that_before_the_setting(
    run: Any, write: Any, dev_and_staging: Path
) -> None:
    write("pyproject.toml", '[tool.dspy-profiles]\ndefault = "mock"')
    program = ["-c", REPORT]
    by_option = reported(run("--profile", "dev", *program, env={"DSPY_PROFILE": "staging"}))
    by_variable = reported(run(*program, env={"DSPY_PROFILE": "staging"}))
    by_setting = reported(run(*program))
    assert [(one["name"], one["model"]) for one in (by_option, by_variable, by_setting)] == [
        ("dev", "dev"),
        ("staging", "staging"),
        ("mock", "mock"),
    ]
    assert by_option["reason"] == "from --profile"
    assert by_variable["reason"] == "from DSPY_PROFILE"
    assert "from the setting default" in str(by_setting["reason"])
    assert by_setting["variable"] == "mock"


def test_a_profile_called_default_applies_where_none_is_named(run: Any, write: Any) -> None:
    write("profiles.toml", '[default]\nextends = "mock"\nlm.model = "by default"')
    assert reported(run("-c", REPORT))["model"] == "by default"


def test_where_none_applies_that_is_said_and_nothing_is_changed(run: Any) -> None:
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    # As Python knows it: readline, once imported, sets COLUMNS and LINES for C alone.
    alone = subprocess.run(
        [sys.executable, "-c", show],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    done = run("--", sys.executable, "-c", show)
    assert json.loads(done.stdout) == json.loads(alone.stdout)
    (line,) = done.stderr.splitlines()
    assert line.startswith("no active profile")
    assert reported(run("-c", REPORT))["model"] is None


@pytest.mark.parametrize("more", [["--force"], ["--set", "lm.model=x"]])
def test_where_none_applies_there_is_nothing_to_force_or_override(run: Any, more: Any) -> None:
    done = run(*more, "--", "echo", "started")
    assert (done.returncode, done.stdout) == (3, "")
    assert "no profile named and no default" in done.stderr


FAULTS = {
    "missing": ("nope", 3, 'profile "nope" not found (from --profile)'),
    "no secret": ("no-secret", 5, "SOME_KEY is not set"),
    "no secrets": ("no-secrets", 5, "2 secrets are missing"),
    "no secret of env": ("no-env", 5, "SOME_KEY is not set"),
    "in clear": ("in-clear", 5, "is a plaintext secret"),
    "wrong type": ("wrong-type", 4, "temperature"),
    "wrong keys": ("wrong-keys", 4, "and settings.num_thread"),
    "unknown parent": ("orphan", 4, "which does not exist"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_profile_never_starts_the_child(run: Any, write: Any, fault: Any) -> None:
    write(
        "profiles.toml",
        """
        no-secret.lm = { model = "openai/x", api_key = "${SOME_KEY}" }
        no-secrets.lm = { model = "openai/x", api_key = "${SOME_KEY}", api_base = "${SOME_BASE}" }
        no-env.env = { THEIR_KEY = "${SOME_KEY}" }
        in-clear.lm = { model = "openai/x", api_key = "sk-canary-1234" }
        wrong-type.lm = { model = "openai/x", temperature = "hot" }
        wrong-keys.lm = { modle = "openai/x" }
        wrong-keys.settings = { num_thread = 3 }
        orphan.extends = "nobody"
        """,
    )
    name, code, said = FAULTS[fault]
    done = run("-p", name, "--", "echo", "started")
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "canary" not in done.stderr


def test_a_class_in_the_project_is_read_and_not_imported(run: Any, write: Any) -> None:
    write(
        "theirs.py",
        """
        raise SystemExit("imported")
        class Engine:
            def __init__(self, url: str): ...
            def complete(self, request): ...
        """,
    )
    write("profiles.toml", '[p.provider]\nclass = "theirs.Engine"\nulr = "x"')
    done = run("-p", "p", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (4, "")
    assert 'theirs.Engine has no parameter "ulr"' in done.stderr


class Vault:
    @plugins.hookimpl
    def dspy_profiles_secret_schemes(self) -> Any:
        return {"vault": lambda _path: "0.5"}


def test_what_a_plugin_can_follow_is_no_fault(write: Any) -> None:
    write("profiles.toml", '[p.lm]\nmodel = "openai/x"\ntemperature = "vault:temperature"')
    with pytest.raises(ProfileError, match="temperature"):
        launch("p", None, {}, force=False)
    vault = Vault()
    plugins.manager().register(vault)
    try:
        assert launch("p", None, {}, force=False).profile is not None
    finally:
        plugins.manager().unregister(vault)


def test_a_broken_file_never_starts_the_child(run: Any, write: Any) -> None:
    write("profiles.toml", "[broken")
    done = run("-p", "mock", "--", "echo", "started")
    assert (done.returncode, done.stdout) == (4, "")
    assert "profiles.toml:1" in done.stderr


def test_a_key_that_the_mock_does_not_need_is_not_asked_for(run: Any, write: Any) -> None:
    write(
        "profiles.toml",
        """
        [prod.lm]
        model = "openai/gpt-4o"
        api_key = "${SOME_KEY}"
        extra_headers = { authorization = "Bearer ${SOME_TOKEN}" }
        [prod.lms.teacher]
        model = "openai/o3"
        api_key = "${TEACHERS_KEY}"

        [ci]
        extends = "prod"
        provider.class = "mock"
        """,
    )
    assert reported(run("-p", "ci", "-c", REPORT))["model"] == "openai/gpt-4o"
    assert run("-p", "prod", "true").returncode == 5


def test_a_key_of_a_role_is_asked_for_when_the_role_is(run: Any, write: Any) -> None:
    write(
        "profiles.toml",
        """
        [p.lm]
        model = "openai/gpt-4o"
        [p.lms.teacher]
        model = "openai/o3"
        api_key = "${TEACHERS_KEY}"
        """,
    )
    assert reported(run("-p", "p", "-c", REPORT))["model"] == "openai/gpt-4o"


@pytest.mark.parametrize(
    "name",
    ["a\"b'c", "with space", "naïve ☃", "line\nbreak", "$(touch pwned)", "'); import os #", "a.b"],
)
def test_a_name_is_never_taken_for_code(run: Any, write: Any, project: Path, name: str) -> None:
    write("profiles.toml", f'[{json.dumps(name)}]\nextends = "mock"\nlm.model = "right"')
    found = reported(run("-p", name, "-c", REPORT))
    assert (found["name"], found["variable"], found["model"]) == (name, name, "right")
    assert sorted(path.name for path in project.iterdir()) == [".git", "profiles.toml"]


def test_overrides_reach_the_child_with_their_types(run: Any, write: Any) -> None:
    write(
        "program.py",
        """
        import dspy
        from dspy_profiles import current_profile
        p = current_profile()
        print(p.lm, p.settings, p.origin("lm.temperature"), dspy.settings.num_threads)
        """,
    )
    done = run(
        *("-p", "mock", "--set", "lm.temperature=0.5", "--set", "lm.cache=true"),
        *("--set", "lm.stop=[\"a\", 'b']".replace("'", '"'), "--set", "lm.model=a=b"),
        *("--set", 'lm.extra_headers={"x": "1"}', "--set", 'lm.user="7"'),
        *("--set", "settings.num_threads=3", "program.py"),
    )
    lm = {
        "temperature": 0.5,
        "cache": True,
        "stop": ["a", "b"],
        "model": "a=b",
        "extra_headers": {"x": "1"},
        "user": "7",
    }
    assert done.stdout == f"{lm} {{'num_threads': 3}} override 3\n", done.stderr


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["lm.api_key=sk-canary-1234"], 5, "lm.api_key is a plaintext secret"),
        (['lm.extra_headers={"Authorization": "Bearer canary"}'], 5, "plaintext secret"),
        (['lms.teacher={"api_key": "sk-canary-1234"}'], 5, "lms.teacher.api_key"),
        (["lm.api_key=${SOME_KEY:-sk-canary-1234}"], 5, "plaintext secret"),
        (['provider.answers={"answer": "${SOME_KEY}"}'], 5, "SOME_KEY is not set"),
        (["lm.temperature=hot"], 4, "lm.temperature"),
        (["lmm.model=x"], 4, "lmm"),
        (["lm.model"], 4, "is not KEY=VALUE"),
        (["lm=3", "lm.model=x"], 4, "lm"),
        (["lm.model=x", "lm.model.y=x"], 4, "lm.model.y"),
        (["extends=prod"], 4, "extends"),
    ],
)
def test_a_bad_override_never_starts_the_child(run: Any, given: Any, code: Any, said: Any) -> None:
    options = [word for one in given for word in ("--set", one)]
    for debug in ([], ["--debug"]):
        done = run(*debug, "-p", "mock", *options, "--", "echo", "started")
        assert done.stdout == ""
        assert said in done.stderr
        assert "canary" not in done.stderr
    assert run("-p", "mock", *options, "--", "echo", "started").returncode == code


def test_a_reference_may_be_given_as_an_override(run: Any) -> None:
    code = "import dspy; print(dspy.settings.lm.kwargs['api_key'])"
    words = ["-p", "p", "--set", "lm.api_key=${SOME_KEY}", "-c", code]
    Path("profiles.toml").write_text('[p.lm]\nmodel = "openai/x"')
    assert run(*words, env={"SOME_KEY": "sk-given"}).stdout == "sk-given\n"


def test_forced_every_name_in_the_program_means_the_sessions_profile(run: Any, write: Any) -> None:
    write(
        "forced.py",
        """
        import dspy
        from dspy_profiles import lm, profile, with_profile

        @with_profile("prod")
        def model():
            return dspy.settings.lm.model

        with profile("prod", lm={"model": "openai/block"}) as p:
            print(model(), dspy.settings.lm.model, lm("prod").model, p.name)
        """,
    )
    words = ["-p", "mock", "--set", "lm.model=ours", "forced.py"]
    assert run("--force", *words).stdout == "ours ours ours mock\n"
    assert 'profile "prod" not found' in run(*words).stderr


def test_a_run_inside_a_run_wins(run: Any, dev_and_staging: Path) -> None:
    inner = shlex.join(
        [sys.executable, "-m", "dspy_profiles", "run", "-p", "staging", "-c", REPORT]
    )
    for outer in (["-p", "dev", "--set", "lm.model=outer"], ["-p", "dev", "--force"]):
        found = reported(run(*outer, "--", "sh", "-c", inner))
        assert (found["name"], found["model"]) == ("staging", "staging")


def test_a_run_inside_a_run_that_names_none_goes_on_with_the_outer_ones(
    run: Any, dev_and_staging: Path
) -> None:
    inner = [sys.executable, "-m", "dspy_profiles", "run", "-c", REPORT]
    found = reported(run("-p", "dev", "--", *inner))
    assert (found["name"], found["reason"]) == ("dev", "from DSPY_PROFILE")


def test_a_run_inside_a_run_to_which_none_applies_ends_the_session(run: Any) -> None:
    inner = [sys.executable, "-m", "dspy_profiles", "run", "-c", REPORT]
    assert reported(run("-p", "mock", "--", "env", "-u", "DSPY_PROFILE", *inner))["model"] is None


def test_another_folder_changes_nothing(
    run: Any, write: Any, home: Path, dev_and_staging: Path
) -> None:
    write("my_provider.py", "from dspy_profiles.objects.engines.mock import MockEngine")
    write("elsewhere/profiles.toml", '[dev]\nlm.model = "openai/wrong"')
    code = f"import os; os.chdir('elsewhere')\n{REPORT}"
    found = reported(run("-p", "dev", "--set", "provider.class=my_provider.MockEngine", "-c", code))
    assert (found["model"], found["path"]) == ("dev", str(Path("profiles.toml").resolve()))


def test_a_parent_in_a_file_below_is_found_wherever_the_child_goes(
    run: Any, write: Any, home: Path
) -> None:
    write(home / ".dspy/profiles.toml", '[base]\nextends = "mock"\nlm.model = "of the user"')
    write("profiles.toml", '[dev]\nextends = "base"\nsettings.num_threads = 3')
    code = f"import os; os.chdir('/'); from dspy_profiles import resolve; resolve('base')\n{REPORT}"
    found = reported(run("-p", "dev", "-c", code))
    assert (found["model"], found["threads"]) == ("of the user", 3)


def test_options_are_read_in_every_spelling(run: Any) -> None:
    code = "import dspy; print(dspy.settings.lm.model)"
    for options in (["-pmock", "--set=lm.model=x"], ["--profile=mock", "--set", "lm.model=x"]):
        assert run(*options, "--no-color", "-c", code).stdout == "x\n"


def test_every_option_that_takes_a_value_is_known_to() -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    running.add_to(app)
    command: Any = typer.main.get_group(app).commands["run"]
    options = [p for p in command.params if p.opts[0][0] == "-"]
    with_value = {name for option in options if not option.is_flag for name in option.opts}
    assert with_value == running.WITH_VALUE


def test_one_file_may_be_named(run: Any, write: Any, dev_and_staging: Path) -> None:
    write("other/of-ci.toml", '[dev]\nextends = "mock"\nlm.model = "from ci"')
    code = f"import os; os.chdir('/')\n{REPORT}"
    by_option = reported(run("--file", "other/of-ci.toml", "-p", "dev", "-c", code))
    by_variable = reported(
        run("-p", "dev", "-c", code, env={"DSPY_PROFILES_PATH": "other/of-ci.toml"})
    )
    for found in (by_option, by_variable):
        assert found["model"] == "from ci"
        assert found["path"] == str(Path("other/of-ci.toml").resolve())


def test_the_variable_of_the_path_is_left_alone_where_no_file_defines_the_profile(run: Any) -> None:
    assert reported(run("-p", "mock", "-c", REPORT))["path"] is None


def test_variables_of_the_profile_and_of_env_files_reach_any_child(run: Any, write: Any) -> None:
    write(".env", "SOME_KEY=from-dotenv\nTHEIRS=from-dotenv\n")
    write(
        "profiles.toml",
        """
        [p]
        extends = "mock"
        [p.env]
        PLAIN = "from the profile"
        REFERS = "<${SOME_KEY}>"
        THEIRS_TOO = "from the profile"
        """,
    )
    show = 'echo "$SOME_KEY $THEIRS $PLAIN $REFERS $THEIRS_TOO"'
    theirs = {"THEIRS": "theirs", "THEIRS_TOO": "theirs too"}
    done = run("-p", "p", "--", "sh", "-c", show, env=theirs)
    assert done.stdout == "from-dotenv theirs from the profile <from-dotenv> theirs too\n"


def test_only_what_is_needed_is_added_to_the_environment(run: Any, dev_and_staging: Path) -> None:
    show = "import os, json; print(json.dumps(dict(os.environ)))"
    done = run("-p", "dev", "--", sys.executable, "-I", "-c", show)
    added = json.loads(done.stdout).items() - dict(os.environ).items()
    assert {name for name, _ in added} - {"LC_CTYPE"} == {
        "DSPY_PROFILE",
        "DSPY_PROFILES_PATH",
        "DSPY_PROFILES_SESSION",
        "LITELLM_LOCAL_MODEL_COST_MAP",  # of an offline profile
        "PYTHONPATH",
    }


@pytest.mark.parametrize("more", [[], ["--debug"]])
def test_no_secret_is_shown_by_a_run(run: Any, write: Any, more: Any) -> None:
    write(".env", "DOTENV_TOKEN=canary-dotenv\n")
    write(
        "profiles.toml",
        """
        [p.provider]
        class = "theirs.Engine"
        one = "${DOTENV_TOKEN}"
        two = "${ENV_TOKEN}"
        """,
    )
    write(
        "theirs.py",
        """
        class Engine:
            def __init__(self, one, two):
                raise ValueError(f"cannot do with {one} and {two}")
            def complete(self, request): ...
        """,
    )
    show = "import os; print(os.environ['DSPY_PROFILES_SESSION']); import dspy"
    done = run(*more, "-p", "p", "-c", show, env={"ENV_TOKEN": "canary-env"})
    assert done.returncode == 4
    assert "canary" not in done.stdout + done.stderr
    assert "theirs.Engine" in done.stderr
