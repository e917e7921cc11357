"""`import`: from variables and from other files, all of it or nothing, and never a secret."""

from typing import Any

import pytest

VARIABLES = """\
# DSPy
DSPY_LM_MODEL=openai/gpt-4o
export DSPY_LM_API_KEY="sk-canary-4f1c9a7e2b"
DSPY_LM_TEMPERATURE=0.7
DSPY_LM_CACHE=False
DSPY_LM_API_VERSION=2024
DSPY_LM_EXTRA_HEADERS='{"X-Team": "a", "Authorization": "Bearer ${TOKEN}"}'
DSPY_SETTINGS_NUM_THREADS=8
DSPY_RM_URL=http://localhost:8893/api/search
DSPY_LMS_BIG_TEACHER_MODEL=openai/o3
DSPY_LMS_BIG_TEACHER_MAX_TOKENS=100
DSPY_ENV_LITELLM_LOG=1
DSPY_DESCRIPTION=2024
DSPY_CACHEDIR=/tmp/x
DSPY_PROFILE=prod
OPENAI_API_KEY=sk-canary-5
"""

OTHER = """\
# shared
[base.lm]
model = "openai/gpt-4o"   # big
api_key = "file:keys/openai"

# ours
[prod]
extends = "base"
"""


@pytest.fixture
def other(write: Any, home: Any) -> Any:
    return write(home / "other/profiles.toml", OTHER)


def test_variables_become_a_profile_section_by_section(cli: Any, project: Any, write: Any) -> None:
    write("vars.env", VARIABLES)
    done = cli("import", "vars.env", "--profile", "dev", "--project")
    assert done.code == 0, done.err
    assert done.lines[0] == ["dev is imported", "profiles.toml"]
    assert "ignored, in no section: DSPY_CACHEDIR, DSPY_PROFILE" in done.err
    assert "vars.env is not loaded with the profile, which needs DSPY_LM_API_KEY" in done.err
    found = {v["key"]: v["value"] for v in cli("show", "dev", "--json").json["values"]}
    assert found == {
        "description": "2024",
        "lm.model": "openai/gpt-4o",
        "lm.api_key": "${DSPY_LM_API_KEY}",
        "lm.temperature": 0.7,
        "lm.cache": False,
        "lm.api_version": "2024",
        "lm.extra_headers.X-Team": "a",
        "lm.extra_headers.Authorization": "Bearer ${TOKEN}",
        "settings.num_threads": 8,
        "rm.url": "http://localhost:8893/api/search",
        "lms.big_teacher.model": "openai/o3",
        "lms.big_teacher.max_tokens": 100,
        "env.LITELLM_LOG": "1",
    }
    assert "canary" not in (project / "profiles.toml").read_text()


def test_the_projects_own_env_file_is_read_by_itself(cli: Any, write: Any) -> None:
    write(".env", "DSPY_LM_MODEL=a/b\nDSPY_LM_API_KEY=sk-canary\n")
    done = cli("import", ".env")
    assert (done.code, done.err) == (0, "")
    assert cli("secrets", "check", "default").code == 0


def test_another_prefix_is_taken(cli: Any, write: Any) -> None:
    write("x.env", "LLM_LM_MODEL=a/b\nDSPY_LM_MODEL=c/d\n")
    assert cli("import", "x.env", "--prefix", "LLM_").code == 0
    assert cli("get", "default", "lm.model").out == "a/b\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("OTHER=1\n", 4, "--prefix"),
        ("DSPY_CACHEDIR=/x\n", 4, "--prefix"),
        ("DSPY_LM_MODEL=a/b\nDSPY_LM_TEMPERATURE=hot\n", 4, "expected a number"),
        ("DSPY_LM_MODEL=a/b\nDSPY_LM_TEMPRATURE=1\n", 4, 'did you mean "temperature"'),
        ("DSPY_LM_MODEL=a/b\nDSPY_LM_SEED=null\n", 4, "DSPY_LM_SEED: TOML has no null"),
        ("DSPY_LM=x\n", 4, "DSPY_LM must be a JSON table"),
        ('DSPY_LM=\'{"api_key": "sk-canary"}\'\n', 5, "DSPY_LM is a table with a plaintext secret"),
        (
            'DSPY_LM_EXTRA_HEADERS=\'{"Authorization": "Bearer canary-1"}\'\n',
            5,
            "a plaintext secret",
        ),
        ("DSPY_LM_MODEL=a/b\nDSPY_EXTENDS=gone\n", 4, "does not exist"),
    ],
)
def test_variables_that_make_no_sound_profile_are_refused_whole(
    cli: Any, project: Any, text: Any, code: Any, said: Any
) -> None:
    (project / "x.env").write_text(text)
    done = cli("import", "x.env", "--project")
    assert (done.code, done.out) == (code, "")
    assert said in done.err
    assert not (project / "profiles.toml").exists()


def test_all_profiles_of_a_file_come_with_their_comments(
    cli: Any, project: Any, other: Any
) -> None:
    done = cli("import", other, "--project")
    assert (done.code, done.err) == (0, "")
    key = other.parent / "keys/openai"
    assert (project / "profiles.toml").read_text().strip() == (
        OTHER.replace("file:keys/openai", f"file:{key}").strip()
    )
    assert [line[0] for line in done.lines if line] == ["base is imported", "prod is imported"]


def test_one_profile_needs_what_it_extends(cli: Any, project: Any, other: Any, write: Any) -> None:
    done = cli("import", other, "--profile", "prod", "--project")
    assert done.code == 4
    assert 'extends "base", which does not exist' in done.err
    assert not (project / "profiles.toml").exists()
    assert cli("import", other, "--profile", "base", "--project").code == 0
    assert cli("import", other, "--profile", "prod").code == 0
    done = cli("import", other, "--profile", "prd")
    assert (done.code, 'did you mean "prod"' in done.err) == (3, True)


def test_what_is_there_is_replaced_only_with_yes(cli: Any, other: Any, write: Any) -> None:
    path = write("profiles.toml", '# mine\n[prod.lm]\nmodel = "a/b"\n\n[z]\n')
    before = path.read_text()
    for source in (other, write("x.env", "DSPY_LM_MODEL=c/d\n")):
        done = cli("import", source, *(["--profile", "prod"] if source.suffix == ".env" else []))
        assert (done.code, done.out) == (4, "")
        assert "pass --yes to replace it in profiles.toml" in done.err
        assert path.read_text() == before
    assert cli("import", other, "--yes").code == 0
    assert cli("get", "prod", "lm.model").out == "openai/gpt-4o\n"
    assert "[z]" in path.read_text()
    assert cli("import", "x.env", "--profile", "prod", "--yes").code == 0
    assert cli("get", "prod", "lm.model").out == "c/d\n"


def test_a_secret_in_another_file_is_refused_with_the_way_out(
    cli: Any, project: Any, write: Any, home: Any, canary: str
) -> None:
    path = write(home / "other/profiles.toml", f'[ok]\n[p.lm]\nmodel="a/b"\napi_key="{canary}"\n')
    done = cli("import", path, "--project")
    assert (done.code, done.out) == (5, "")
    assert "dspy-profiles secrets move --file ~/other/profiles.toml" in done.err
    assert not (project / "profiles.toml").exists()


@pytest.mark.parametrize(
    ("name", "text", "ends"),
    [
        ("gone.toml", None, (3, "file not found")),
        ("gone.env", None, (3, "file not found")),
        ("a.toml", "x = \n", (4, "a.toml:1")),
        ("a.toml", "", (3, "the file has no profiles")),
        ("a.toml", "x = 1\n", (4, "not a profile")),
        ("a.toml", "[p]\nlmm = 1\n", (4, "unknown section")),
        ("b.env", b"\xff\xfe", (4, "UTF-8")),
        ("profiles.toml", "[p]\n", (4, "already holds these profiles")),
    ],
)
def test_what_cannot_be_read_is_refused(
    cli: Any, project: Any, name: Any, text: Any, ends: Any
) -> None:
    if text is not None:
        (project / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    before = {path.name: path.read_bytes() for path in project.iterdir() if path.is_file()}
    done = cli("import", name)
    assert (done.code, done.out) == (ends[0], "")
    assert ends[1] in done.err
    assert {p.name: p.read_bytes() for p in project.iterdir() if p.is_file()} == before


def test_a_file_of_another_name_is_known_by_what_is_in_it(cli: Any, write: Any) -> None:
    write("settings", "DSPY_LM_MODEL=a/b\n")
    write("profiles.old", '[p.lm]\nmodel = "a/b"\n')
    assert cli("import", "settings", "--user").code == 0
    assert cli("import", "profiles.old", "--user").code == 0
    assert cli("list").out.count("a/b") == 2
