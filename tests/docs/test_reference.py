"""The reference leaves nothing out, and its generated parts are what the code says now."""

import importlib.util
import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import dspy_profiles
from dspy_profiles import errors, hookspecs
from dspy_profiles.cli._app import COMMANDS, app
from dspy_profiles.config import SETTINGS
from dspy_profiles.profiles import SECTIONS
from pytest_dspy_profiles import _fixtures as fixtures
from pytest_dspy_profiles import _options as options
from pytest_dspy_profiles import hookspecs as pytest_hookspecs

OLD_METAVARS = tuple(map(int, typer.__version__.split(".")[:2])) < (0, 27)


@pytest.fixture(scope="module")
def generate(docs: Any) -> Any:
    spec = importlib.util.spec_from_file_location("docs_generate", docs / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def headings(all_pages: Any) -> Any:
    """The headings of one page of the reference."""

    def of(name: Any) -> Any:
        page = next(page for page in all_pages if page.name == f"docs/reference/{name}.md")
        return [line for _, line in page.prose if line.startswith("#")]

    return of


def test_generated_parts_are_current(page: Any, generate: Any) -> None:
    if page.name == "docs/reference/cli.md" and OLD_METAVARS:
        pytest.skip("this Typer writes PATH for <path>")
    text = page.path.read_text("utf-8")
    assert text == generate.current(text), (
        f"{page.name} is not what the code says now; mend it by: python docs/generate.py"
    )


def test_generating_touches_nothing_outside_of_its_parts(generate: Any) -> None:
    empty = "<!-- generated: {} -->\n<!-- /generated -->\n"
    made = generate.current(f"a\n{empty.format('sections')}b\n{empty.format('settings')}c\n")
    outside = re.sub(r"<!-- generated.*?/generated -->\n", "|", made, flags=re.DOTALL)
    assert outside == "a\n|b\n|c\n"
    assert "`extends`" in made
    assert "`env-file`" in made
    assert generate.current(made) == made


def test_every_marker_of_a_generated_part_has_its_end(page: Any) -> None:
    lines = "\n".join(page.lines)
    begins, ends = lines.count("<!-- generated: "), lines.count("<!-- /generated -->")
    assert begins == ends


@pytest.mark.parametrize("name", vars(dspy_profiles)["__all__"])
def test_every_public_name_has_a_heading(name: Any, headings: Any) -> None:
    assert any(f"`{name}`" in line for line in headings("python"))


@pytest.mark.parametrize(
    "name",
    [
        n
        for n, e in vars(errors).items()
        if inspect.isclass(e) and issubclass(e, errors.ProfileError)
    ],
)
def test_every_error_has_a_heading(name: Any, headings: Any) -> None:
    assert f"### `{name}`" in headings("errors")


@pytest.mark.parametrize("name", [n for n in vars(hookspecs) if n.startswith("dspy_profiles_")])
def test_every_hook_has_a_heading(name: Any, headings: Any) -> None:
    assert f"## `{name}`" in headings("hooks")


@pytest.mark.parametrize("name", SECTIONS)
def test_every_section_has_a_heading(name: Any, headings: Any) -> None:
    assert f"### `{name}`" in headings("file")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_is_named_with_its_variable(setting: Any, docs: Any) -> None:
    text = (docs / "reference" / "file.md").read_text("utf-8")
    assert re.search(rf"^\| `{setting.name}` \|.*`{setting.env}`", text, re.MULTILINE)


PYTEST_OPTIONS = [
    *options.OPTIONS,
    *(v for v in vars(options).values() if type(v) is options.Option),
]


@pytest.mark.parametrize("option", PYTEST_OPTIONS, ids=lambda option: option.setting)
def test_every_option_of_the_plugin_has_a_row_with_its_ini_key_and_its_variable(
    option: Any, docs: Any
) -> None:
    text = (docs / "reference" / "pytest.md").read_text("utf-8")
    spelled = (option.flag, option.ini, option.env)
    row = r" \| ".join(f"`{each}`" if each else "none" for each in spelled)
    assert re.search(rf"^\| {row} \|", text, re.MULTILINE)


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s.in_pytest], ids=lambda s: s.name)
def test_every_setting_of_the_suite_that_tests_have_is_an_option_of_the_plugin(
    setting: Any,
) -> None:
    assert setting.pytest_flag in {option.flag for option in PYTEST_OPTIONS}


MARKERS = [line.partition("(")[0] for line in options.MARKERS]
FIXTURES = [name for name in fixtures.__all__ if name.startswith("dspy_")]
HOOKS = [name for name in vars(pytest_hookspecs) if name.startswith("pytest_")]


@pytest.mark.parametrize(
    "heading",
    [
        *(f"### mark `{name}`" for name in MARKERS),
        *(f"### fixture `{name}`" for name in FIXTURES),
        *(f"### hook `{name}`" for name in HOOKS),
    ],
)
def test_every_mark_fixture_and_hook_of_the_plugin_has_a_heading_and_a_link(
    heading: Any, headings: Any, docs: Any
) -> None:
    assert heading in headings("pytest")
    top = (docs / "reference" / "pytest.md").read_text("utf-8").partition("\n## ")[0]
    assert f"](#{heading.strip('# ').replace(' ', '-').replace('`', '')})" in top


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_of_the_plugin_has_an_example(name: Any, docs: Any) -> None:
    text = (docs / "reference" / "pytest.md").read_text("utf-8")
    assert re.search(rf"^def {name}\(", text, re.MULTILINE)


@pytest.mark.parametrize(
    "name", [n for n, v in vars(fixtures.UsageSoFar).items() if isinstance(v, property)]
)
def test_every_attribute_of_the_usage_has_a_row(name: Any, docs: Any) -> None:
    text = (docs / "reference" / "pytest.md").read_text("utf-8")
    section = text.partition("### fixture `dspy_usage`")[2].partition("\n### ")[0]
    assert re.search(rf"^\| `{name}` \|", section, re.MULTILINE)


def test_every_kind_of_failure_is_one_that_the_plugin_tells(docs: Any, generate: Any) -> None:
    from pytest_dspy_profiles._failures import HINTS, KINDS

    made = generate.part("failure kinds")
    assert all(f"| `{kind}` |" in made for kind in {*KINDS.values(), *HINTS})
    assert made in (docs / "reference" / "pytest.md").read_text("utf-8")


def each_command() -> Iterator[str]:
    """Every command as it is typed: `list`, `secrets check`."""
    group: Any = typer.main.get_command(app)
    for name in COMMANDS:
        inner = getattr(group.get_command(None, name), "commands", None)
        yield from [name] if inner is None else [f"{name} {each}" for each in inner]


COMMAND_NAMES = list(each_command())


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_has_a_section_with_its_help_and_an_example(name: Any, docs: Any) -> None:
    text = (docs / "reference" / "cli.md").read_text("utf-8")
    _, heading, section = f"{text}\n##".partition(f"\n### `{name}`\n")
    section = re.split(r"\n###? ", section)[0]
    assert heading
    assert f"<!-- generated: help {name} -->" in section
    assert f"dspy-profiles {name}" in section.partition("```console")[2]


def test_the_list_of_commands_leads_to_every_one(docs: Any) -> None:
    text = (docs / "reference" / "cli.md").read_text("utf-8").partition("\n## ")[0]
    linked = re.findall(r"\[`([^`]+)`\]\(#", text)
    assert sorted(linked) == sorted(COMMAND_NAMES)


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_that_prints_json_has_its_shape(
    name: Any, headings: Any, generate: Any
) -> None:
    if "--json" in generate.part(f"help {name}"):
        assert any(f"`{name} --json`" in line for line in headings("json"))


def test_every_field_of_the_json_examples_is_explained(all_pages: Any) -> None:
    page = next(page for page in all_pages if page.name == "docs/reference/json.md")
    prose = "\n".join(line for _, line in page.prose)
    for block in page.blocks:
        for text in re.findall(r"^{\n.*?^}$", block.text, re.MULTILINE | re.DOTALL):
            for key in fields(json.loads(text.replace("…", "0"))):
                assert re.search(rf"`(….)?{key}`", prose), f"{page.name}:{block.line}: {key}"


def fields(value: object) -> Iterator[str]:
    """Every field of an object, those of objects in it included; not the keys of a profile."""
    if isinstance(value, list):
        for item in value:
            yield from fields(item)
    if isinstance(value, dict):
        yield from value
        for key, item in value.items():
            yield from () if key == "profile" else fields(item)
