"""`schema`: for editors, printed or written beside the file."""

import json
from typing import Any

import jsonschema
import pytest
import tomli


@pytest.fixture
def schema(cli: Any) -> Any:
    done = cli("schema")
    assert (done.code, done.err) == (0, "")
    return json.loads(done.out)


def test_it_takes_what_is_right_and_refuses_what_is_wrong(schema: Any) -> None:
    jsonschema.Draft4Validator.check_schema(schema)
    check = jsonschema.Draft4Validator(schema)
    assert check.is_valid(tomli.loads("[p.lm]\nmodel = 'a/b'\ntemperature = 1\n"))
    assert not check.is_valid(tomli.loads("[p.lmm]\nmodel = 'a/b'\n"))
    assert not check.is_valid(tomli.loads("[p.lm]\nmodel = 1\n"))


def test_write_puts_it_beside_the_file_with_a_header(cli: Any, project: Any, schema: Any) -> None:
    path = project / "profiles.toml"
    path.write_bytes(b"\xef\xbb\xbf# mine\r\n[p.lm]\r\nmodel = 'a/b'\r\n")
    done = cli("schema", "--write")
    assert (done.code, done.err) == (0, "")
    assert done.lines[0] == ["profiles.schema.json", "for profiles.toml"]
    assert json.loads((project / "profiles.schema.json").read_text()) == schema
    after = b"\xef\xbb\xbf#:schema ./profiles.schema.json\r\n# mine\r\n[p.lm]\r\nmodel = 'a/b'\r\n"
    assert path.read_bytes() == after
    (project / "profiles.schema.json").write_text('{"title": "profiles.toml for DSPy 0.0"}')
    assert cli("schema", "--write").code == 0
    assert json.loads((project / "profiles.schema.json").read_text()) == schema
    assert path.read_bytes() == after
    assert cli("get", "p", "lm.model").out == "a/b\n"


def test_write_goes_where_it_is_told(cli: Any, write: Any, home: Any, project: Any) -> None:
    write(home / ".dspy/profiles.toml", "[u]\n")
    write("profiles.toml", "[p]\n")
    other = write("sub/other.toml", "[o]\n")
    link = project / "link.toml"
    link.symlink_to(other)
    assert cli("schema", "--write", "--user").code == 0
    assert (home / ".dspy/profiles.schema.json").exists()
    assert cli("schema", "--write", "--file", "link.toml").code == 0
    assert (project / "sub/profiles.schema.json").exists()
    assert link.is_symlink()
    assert other.read_text() == "#:schema ./profiles.schema.json\n[o]\n"
    assert not (project / "profiles.schema.json").exists()


def test_what_is_somebody_elses_or_not_there_is_left_alone(
    cli: Any, write: Any, project: Any
) -> None:
    done = cli("schema", "--write")
    assert (done.code, done.out) == (3, "")
    path = write("profiles.toml", "[p]\n")
    theirs = write("profiles.schema.json", '{"title": "mine"}')
    done = cli("schema", "--write")
    assert (done.code, done.out) == (4, "")
    assert (theirs.read_text(), path.read_text()) == ('{"title": "mine"}', "[p]\n")
