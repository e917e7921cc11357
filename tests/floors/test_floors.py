"""The house: imports run down only, and what may be imported in any process stays light."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import dspy_profiles

SRC = Path(dspy_profiles.__file__).parent.parent

PAGE = Path(__file__).parents[2] / "docs/design.md"
FLOORS = {
    int(floor): rooms
    for floor, rooms in re.findall(
        r"### Floor (\d)\n(?:.*\n)*?<!-- generated: rooms (.+) -->", PAGE.read_text("utf-8")
    )
}
FLOOR = {room: floor for floor, rooms in FLOORS.items() for room in rooms.split()}


def room(module: str) -> str:
    return module.partition(".")[0]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the core by its dotted name below `dspy_profiles`."""
    for path in sorted((SRC / "dspy_profiles").rglob("*.py")):
        name = ".".join(path.relative_to(SRC / "dspy_profiles").with_suffix("").parts)
        yield name.removesuffix(".__init__"), ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in it, but for types alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(node)


MODULES = {name: set(imports(tree)) for name, tree in modules() if name != "__init__"}
ROOMS = {room(name) for name in MODULES}


def own_imports(name: str) -> set[str]:
    """The modules of ours that a module imports, by their names below `dspy_profiles`."""
    found = {i.removeprefix("dspy_profiles.") for i in MODULES[name] if "dspy_profiles." in i}
    return {i for i in found if i in MODULES}


def test_every_room_has_a_floor() -> None:
    doors = {"pytest_dspy_profiles", "dspy_profiles_ipython"}
    assert set(FLOOR) == ROOMS | doors


@pytest.mark.parametrize("name", sorted(MODULES))
def test_imports_run_down_only(name: str) -> None:
    floor = FLOOR[room(name)]
    above = {i for i in own_imports(name) if FLOOR[room(i)] > floor}
    assert not above, f"{name} (floor {floor}) imports {above}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A package's own modules name it on the way to each other; that is no circle.
    graph = {name: own_imports(name) - {name, room(name)} for name in MODULES}
    list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("name", sorted(n for n in MODULES if FLOOR[room(n)] < 2))
def test_nothing_below_the_second_floor_imports_dspy(name: str) -> None:
    assert not {i for i in MODULES[name] if i.split(".")[0] == "dspy"}


def uses_of_settings(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "dspy"
        and node.attr in {"settings", "context", "configure"}
        for node in ast.walk(tree)
    )


def test_only_activation_touches_dspys_settings() -> None:
    # The demo is a program like a user's.
    users = {room(name) for name, tree in modules() if uses_of_settings(tree)}
    assert users == {"activation", "calls"}


def test_private_names_of_dspy_stand_in_rooms_of_their_own() -> None:
    private = ("dspy.dsp.utils.settings", "dspy._vendor", "dspy.clients.backend_selection")
    users = {name for name, found in MODULES.items() if any(i.startswith(private) for i in found)}
    assert users <= {"dspy_internals", "cassettes.dspy_forms", "results.dspy_forms"}


LIGHT = sys.stdlib_module_names | {"dspy_profiles", "pytest_dspy_profiles", "dspy_profiles_ipython"}


@pytest.mark.parametrize(
    "path", ["pytest_dspy_profiles/plugin.py", "dspy_profiles_ipython/__init__.py"]
)
def test_what_hosts_import_unasked_takes_the_standard_library_alone(path: str) -> None:
    tree = ast.parse((SRC / path).read_text(encoding="utf-8"))
    top = {i.split(".")[0] for node in tree.body for i in imports(ast.Module([node], []))}
    assert top <= LIGHT
    assert "dspy_profiles" not in top


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_imports_next_to_nothing() -> None:
    heavy = {"dspy", "typer", "rich", "pluggy", "tomlkit", "tomli", "filelock", "dotenv"}
    assert not loaded_by("import dspy_profiles") & heavy


@pytest.mark.parametrize("name", sorted(n for n in MODULES if FLOOR[room(n)] < 2))
def test_importing_a_lower_room_does_not_bring_dspy_in(name: str) -> None:
    assert not loaded_by(f"import dspy_profiles.{name}") & {"dspy", "typer", "rich"}


def test_every_public_name_is_there() -> None:
    for name in dspy_profiles.__all__:
        assert getattr(dspy_profiles, name) is not None
    assert callable(dspy_profiles.profile)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dspy_profiles.nothing
