"""`edit`: somebody's editor on a copy; the file changes only when the result is sound."""

import re
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

FILE = """\
# mine
[base.lm]
model = "openai/gpt-4o"

[prod]
extends = "base"
"""


@pytest.fixture
def profiles(write: Any) -> Any:
    return write("profiles.toml", FILE)


@pytest.fixture
def editor(tmp_path: Path) -> Any:
    """An editor that runs these lines on the text; $EDITOR, with an argument of its own."""

    def made(*lines: Any) -> Any:
        script = tmp_path / "my editor.py"
        script.write_text(
            "import sys, os, subprocess\nfrom pathlib import Path\n"
            "assert sys.argv[1] == '--wait'\npath = Path(sys.argv[2])\n"
            "text = path.read_bytes().decode(errors='surrogateescape')\n"
            + "\n".join(lines)
            + "\nif path.exists(): path.write_bytes(text.encode(errors='surrogateescape'))\n"
        )
        words = [sys.executable, str(script), "--wait"]
        return {"EDITOR": shlex.join(words), "TMPDIR": str(tmp_path)}

    return made


def kept(done: Any) -> Any:
    found = re.search(r"your edited text is in (\S+)", done.err)
    return Path(found[1]) if found else None


def test_a_sound_change_is_written(cli: Any, profiles: Any, editor: Any) -> None:
    done = cli("edit", env=editor("text = text.replace('gpt-4o', 'gpt-5')"))
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == ["saved", "profiles.toml"]
    assert profiles.read_text() == FILE.replace("gpt-4o", "gpt-5")


def test_visual_comes_before_editor(cli: Any, profiles: Any, editor: Any) -> None:
    env = {"VISUAL": editor("text += '[new]\\n'")["EDITOR"], "EDITOR": "false"}
    assert cli("edit", env=env).code == 0
    assert profiles.read_text() == FILE + "[new]\n"


def test_a_new_file_is_made_by_what_is_saved(cli: Any, home: Path, editor: Any) -> None:
    path = home / ".dspy/profiles.toml"
    assert cli("edit", env=editor("")).code == 0
    assert not path.parent.exists()
    assert cli("edit", "--user", env=editor("text = '[p]\\n'")).code == 0
    assert path.read_text() == "[p]\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_bytes_stay_as_they_are(cli: Any, project: Path, editor: Any) -> None:
    path = project / "profiles.toml"
    path.write_bytes(b"\xef\xbb\xbf# a\r\n[p]\r\n")
    assert cli("edit", env=editor("text += '[q]\\r\\n'")).code == 0
    assert path.read_bytes() == b"\xef\xbb\xbf# a\r\n[p]\r\n[q]\r\n"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("text += 'x = \\n'", "is not valid TOML"),
        ("text += '[p]\\nlmm = 1\\n'", 'unknown section "lmm"'),
        ("text += '[p]\\nlm = 1\\n'", "must be a table"),
        ("text = 'p = 1\\n' + text", 'profile "p" is not a table'),
        ("text = text.replace('[base.lm]', '[other.lm]')", 'extends "base", which does not exist'),
        ("text += '[prod.lm]\\nmodle = 1\\n'", 'did you mean "model"?'),
        ("text += '[prod.settings]\\nnum_threads = \"x\"\\n'", "expected a whole number"),
        ("text += '[prod.lm]\\napi_key = \"sk-canary\"\\n'", "is a plaintext secret"),
    ],
)
def test_faults_are_told_and_nothing_is_written(
    cli: Any, profiles: Any, editor: Any, change: Any, said: Any
) -> None:
    done = cli("edit", env=editor(change))
    assert (done.code, done.out) == (4, "")
    assert said in done.err
    assert profiles.read_text() == FILE
    copy = kept(done)
    assert copy.read_text() != FILE
    assert copy.parent.stat().st_mode & 0o777 == 0o700


def test_what_was_unsound_before_does_not_stand_in_the_way(
    cli: Any, write: Any, editor: Any, canary: str
) -> None:
    text = f'[old]\nlmm = 1\n[leaky.lm]\nmodel = "a/b"\ntemprature = 1\napi_key = "{canary}"\n'
    path = write("profiles.toml", text)
    assert cli("edit", env=editor("text += '[new]\\n'")).code == 0
    assert path.read_text() == text + "[new]\n"
    done = cli("edit", env=editor("text = text.replace('-4f', '-5f')"))  # another secret
    assert done.code == 4


def test_a_profile_of_another_layer_counts_as_well(
    cli: Any, write: Any, home: Path, editor: Any, profiles: Any
) -> None:
    user = write(home / ".dspy/profiles.toml", "[below.lm]\nmodel = 'a/b'\n")
    profiles.write_text('[above]\nextends = "below"\n')
    done = cli("edit", "--user", env=editor("text = '[else]\\n'"))
    assert done.code == 4
    assert 'extends "below"' in done.err
    assert "[below.lm]" in user.read_text()


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"EDITOR": "false"}, "editor false exited with 1"),
        ({"EDITOR": "/no/such/editor"}, "not started"),
        ({"EDITOR": "'"}, "is not a command"),
        ({"EDITOR": "", "VISUAL": "", "PATH": "/nowhere"}, "export EDITOR"),
    ],
)
def test_an_editor_that_fails_changes_nothing(cli: Any, profiles: Any, env: Any, said: Any) -> None:
    done = cli("edit", env=env)
    assert (done.code, done.out) == (4, "")
    assert said in done.err
    assert profiles.read_text() == FILE
    assert kept(done) is None


def test_an_editor_that_fails_after_saving_keeps_the_text(
    cli: Any, profiles: Any, editor: Any
) -> None:
    done = cli("edit", env=editor("path.write_text('mine')", "sys.exit(3)"))
    assert done.code == 4
    assert kept(done).read_text() == "mine"
    assert profiles.read_text() == FILE


def test_an_editor_that_removes_the_file_changes_nothing(
    cli: Any, profiles: Any, editor: Any
) -> None:
    assert cli("edit", env=editor("path.unlink()")).code == 0
    assert profiles.read_text() == FILE


def test_somebody_elses_change_is_not_overwritten(cli: Any, profiles: Any, editor: Any) -> None:
    other = f"Path({str(profiles)!r}).write_text('[theirs]\\n')"
    done = cli("edit", env=editor(other, "text += '[mine]\\n'"))
    assert (done.code, done.out) == (6, "")
    assert "another program changed the file" in done.err
    assert profiles.read_text() == "[theirs]\n"
    assert kept(done).read_text() == FILE + "[mine]\n"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (b"x = \n", "profiles.toml:8 is invalid: profiles.toml is not valid TOML"),
        (b"# \xe4\n", "profiles.toml:8 is invalid: profiles.toml is not UTF-8"),
        (b"x = \0\n", "profiles.toml:8 is invalid: profiles.toml is a binary file"),
    ],
)
def test_a_broken_file_is_opened_and_mended(
    cli: Any, profiles: Any, editor: Any, fault: Any, said: Any
) -> None:
    profiles.write_bytes(FILE.encode() + b"\n" + fault)
    profiles.chmod(0o640)
    mend = f"text = path.read_bytes().replace({fault!r}, b'[new]\\n').decode()"
    done = cli("edit", env=editor(mend))
    assert (done.code, done.lines[0]) == (0, ["saved", "profiles.toml"])
    assert f"warning: {said}" in done.err
    assert profiles.read_text() == FILE + "\n[new]\n"
    assert profiles.stat().st_mode & 0o777 == 0o640


def test_a_broken_file_stays_to_the_byte_until_it_is_sound(
    cli: Any, profiles: Any, editor: Any, canary: str
) -> None:
    content = FILE.encode() + b"# \xe4\r\nx = \n"
    profiles.write_bytes(content)
    for choice in ([], ["--project"], ["--file", "profiles.toml"]):
        assert cli("edit", *choice, env={"EDITOR": "true"}).code == 0
    done = cli("edit", env=editor("text = text.replace('x = ', '')"))
    assert (done.code, "/profiles.toml:7" in done.err) == (4, True)
    assert kept(done).read_bytes() == content.replace(b"x = ", b"")
    for unsound in ("[p]\nlmm = 1", f'[p.lm]\napi_key = "{canary}"', '[p]\nextends = "gone"'):
        assert cli("edit", env=editor(f"text = {unsound!r}")).code == 4
    assert profiles.read_bytes() == content
    profiles.unlink()
    profiles.mkdir()
    assert "profiles.toml is a folder" in cli("edit", env=editor("")).err


def test_a_file_may_be_edited_while_another_one_is_broken(
    cli: Any, write: Any, home: Path, profiles: Any, editor: Any
) -> None:
    user = write(home / ".dspy/profiles.toml", "x = \n")
    done = cli("edit", env=editor("text = text.replace('gpt-4o', 'gpt-5')"))
    assert (done.code, "warning: ~/.dspy/profiles.toml:1 is invalid" in done.err) == (0, True)
    assert profiles.read_text() == FILE.replace("gpt-4o", "gpt-5")
    assert user.read_text() == "x = \n"
    assert cli("edit", "--user", "--project", env=editor("")).code == 2


def test_a_person_is_offered_to_open_it_again(terminal: Any, profiles: Any, editor: Any) -> None:
    env = editor("text = text + 'x = \\n' if 'x = ' not in text else text.replace('x = ', '[x]')")
    screen = terminal("edit", **env).until("is not valid TOML").until("Open it again? [Y/n]")
    screen.type("").until("saved")
    assert screen.end() == 0
    assert profiles.read_text() == FILE + "[x]\n"


def test_a_person_who_declines_is_told_where_the_text_is(
    terminal: Any, profiles: Any, editor: Any
) -> None:
    screen = terminal("edit", **editor("text += 'x = '")).until("[Y/n]").type("n")
    screen.until("your edited text is in")
    assert screen.end() == 4
    assert profiles.read_text() == FILE


def test_an_interrupt_at_the_question_keeps_the_text(
    terminal: Any, profiles: Any, editor: Any
) -> None:
    screen = terminal("edit", **editor("text += 'x = '")).until("[Y/n]").interrupt()
    screen.until("your edited text is in")
    assert screen.end() == 130
    assert profiles.read_text() == FILE
