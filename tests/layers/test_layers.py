"""The layers: imports run down the picture in docs/design.md, and light modules stay light."""

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
OURS = ("dspy_profiles", "pytest_dspy_profiles", "dspy_profiles_ipython")
PAGE = Path(__file__).parents[2] / "docs/design.md"
PICTURE = PAGE.read_text("utf-8").split("```text\n")[1].split("```")[0]
LINES = [line.split() for line in PICTURE.splitlines()]
HEIGHT = {name: len(LINES) - at for at, line in enumerate(LINES) for name in line}
# Modules that somebody outside of their package names, and commands.
NAMED = re.compile(
    r"pytest_dspy_profiles\.(plugin|hookspecs)"
    r"|dspy_profiles\.run\.(session|site\.sitecustomize)"
    r"|dspy_profiles\.(errors|hookspecs|plugins|__main__)"
    r"|dspy_profiles\.cli(\.\w+)*\.[a-z]\w*"
)


def name_of(path: Path) -> str:
    name = ".".join(path.relative_to(SRC).with_suffix("").parts)
    return name.removesuffix(".__init__")


PATHS = {name_of(path): path for name in OURS for path in sorted((SRC / name).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in PATHS.items()}


def package(module: str) -> str:
    """What the picture calls the package, or the module of none, that this is a part of."""
    parts = module.split(".")
    return parts[1] if parts[0] == "dspy_profiles" and len(parts) > 1 else parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere in it, for types alone included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in PATHS else str(node.module) for name in names)


IMPORTS = {name: set(imports(tree)) for name, tree in TREES.items()}
# The root package and `python -m` offer the names of higher layers, and have none of their own.
LAYERED = sorted(IMPORTS.keys() - {"dspy_profiles", "dspy_profiles.__main__"})
INIT = {name for name, path in PATHS.items() if path.name == "__init__.py"}


def test_the_picture_shows_every_package() -> None:
    assert set(HEIGHT) == {package(name) for name in LAYERED}


@pytest.mark.parametrize("name", LAYERED)
def test_imports_run_down_only(name: str) -> None:
    own = package(name)
    foreign = {i for i in IMPORTS[name] if i.split(".")[0] in OURS and package(i) != own}
    foreign -= {"dspy_profiles"} if own == "cli" else set()  # the demo is a program like a user's
    above = {i for i in foreign if HEIGHT.get(package(i), len(LINES) + 1) >= HEIGHT[own]}
    assert not above, f"{name} imports {above}"


@pytest.mark.parametrize("name", LAYERED)
def test_no_package_imports_a_private_module_of_another(name: str) -> None:
    foreign = {i for i in IMPORTS[name] if i in PATHS and package(i) != package(name)}
    assert not {i for i in foreign if any(part.startswith("_") for part in i.split(".")[2:])}


@pytest.mark.parametrize("name", sorted(PATHS.keys() - INIT))
def test_a_module_is_private_unless_somebody_names_it(name: str) -> None:
    assert name.rpartition(".")[2].startswith("_") or NAMED.fullmatch(name)


def test_no_modules_import_each_other_in_a_circle() -> None:
    # A face names its package's modules, and these name each other past it.
    graph = {name: {i for i in IMPORTS[name] if i in PATHS} - INIT for name in PATHS.keys() - INIT}
    list(TopologicalSorter(graph).static_order())


def below(layer: str) -> list[str]:
    """Every module of the lower layers."""
    return [name for name in LAYERED if HEIGHT[package(name)] < HEIGHT[layer]]


@pytest.mark.parametrize("name", [name for name in below("objects") if package(name) != "_dspy"])
def test_nothing_below_objects_imports_dspy(name: str) -> None:
    assert not {i for i in IMPORTS[name] if i.split(".")[0] == "dspy"}


def uses_of_settings(tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "dspy"
        and node.attr in {"settings", "context", "configure"}
        for node in ast.walk(tree)
    )


def test_only_activation_and_calls_touch_dspys_settings() -> None:
    core = [name for name in LAYERED if name.startswith("dspy_profiles.")]
    assert {package(n) for n in core if uses_of_settings(TREES[n])} == {
        "_dspy",
        "activation",
        "calls",
    }


def test_private_names_of_dspy_are_used_in_one_package() -> None:
    private = ("dspy.dsp", "dspy._vendor", "dspy.clients", "dspy.utils")
    users = {name for name, found in IMPORTS.items() if any(i.startswith(private) for i in found)}
    assert {package(name) for name in users} == {"_dspy"}


FACES = [name for name in sorted(INIT) if "attach" in PATHS[name].read_text("utf-8")]


@pytest.mark.parametrize("name", FACES)
def test_a_face_says_the_same_to_python_and_to_type_checkers(name: str) -> None:
    (block,) = (node for node in TREES[name].body if isinstance(node, ast.If))
    typed = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    call = next(n for n in ast.walk(ast.Module(block.orelse, [])) if isinstance(n, ast.Call))
    table = ast.literal_eval(call.args[1])
    modules = {m: m[1:] if m.startswith("/") else f"{name}.{m}" for m in table}
    loaded = {n: modules[module] for module, names in table.items() for n in names.split()}
    assert loaded == typed


LIGHT = sys.stdlib_module_names | set(OURS)


def at_import(tree: ast.Module) -> set[str]:
    """The top-level packages that importing a module imports; types alone do not count."""
    ran = [node for node in tree.body if not isinstance(node, ast.If | ast.FunctionDef)]
    ran = [node for node in ran if not isinstance(node, ast.AsyncFunctionDef | ast.ClassDef)]
    return {name.split(".")[0] for name in imports(ast.Module(ran, []))}


@pytest.mark.parametrize("name", ["pytest_dspy_profiles.plugin", "dspy_profiles_ipython"])
def test_host_plugins_import_the_standard_library_only(name: str) -> None:
    found = at_import(TREES[name])
    assert found <= LIGHT
    assert "dspy_profiles" not in found


def loaded_by(code: str) -> set[str]:
    script = f"{code}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return {name.split(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_importing_the_package_imports_next_to_nothing() -> None:
    heavy = {"dspy", "typer", "rich", "pluggy", "tomlkit", "tomli", "filelock", "dotenv"}
    assert not loaded_by("import dspy_profiles") & heavy


def test_lower_layers_bring_in_neither_dspy_nor_the_command_line() -> None:
    names = [name for name in below("objects") if package(name) not in ("_dspy", "display")]
    names += ["dspy_profiles.display.money", "dspy_profiles.display.show_value"]
    code = "\n".join("from {0} import {2}".format(*name.rpartition(".")) for name in names)
    assert not loaded_by(code) & {"dspy", "typer", "rich"}


def test_every_public_name_is_there() -> None:
    for name in vars(dspy_profiles)["__all__"]:
        assert getattr(dspy_profiles, name) is not None
    assert callable(dspy_profiles.profile)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = dspy_profiles.nothing  # type: ignore[attr-defined]
