# ruff: noqa: INP001 - a script among pages is no package
"""Writes the parts of these pages that the code knows better: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`. Tests hold every part
to what this would write.
"""

import ast
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from typer.testing import CliRunner

import dspy_profiles
from dspy_profiles import errors
from dspy_profiles.cli._app import app
from dspy_profiles.config import SETTINGS
from dspy_profiles.profiles import SECTIONS
from dspy_profiles.secrets import _names as secret_names
from dspy_profiles.secrets import _redaction as redaction
from pytest_dspy_profiles import _options as options

DOCS = Path(__file__).parent
CODE = Path(dspy_profiles.__file__).parent
PACKAGES = ("pytest_dspy_profiles", "dspy_profiles_ipython")
PART = re.compile(r"(<!-- generated: (.+) -->\n)(?:(?!<!-- /?generated).*\n)*(<!-- /generated -->)")


def sections() -> str:
    rows = ((f"`{each.name}`", each.shape.value, each.help) for each in SECTIONS.values())
    return table(("section", "what stands there", "meaning"), rows)


def settings() -> str:
    rows = (
        (
            f"`{each.name}`",
            "a list of strings" if each.many else "a string",
            f"`{each.env}`",
            each.help,
        )
        for each in SETTINGS
    )
    return table(("setting", "what stands there", "environment variable", "meaning"), rows)


def pytest_table() -> str:
    """Every option of the plugin, and how it is spelled elsewhere."""
    rows = (
        (
            f"`{each.flag}`",
            f"`{each.ini}`" if each.ini else "none",
            f"`{each.env}`" if each.env else "none",
            values_of(each),
            each.help,
        )
        for each in pytest_options_all()
    )
    return table(("option", "ini key", "environment variable", "value", "meaning"), rows)


def pytest_options_all() -> list[options.Option]:
    """Those that are settings of the suite, and those that are not."""
    return [*options.OPTIONS, *(v for v in vars(options).values() if isinstance(v, options.Option))]


def values_of(option: options.Option) -> str:
    if option is options.FORCE:
        return "none; `true` in the ini file, `1` in the environment"
    found = option.choices or ((option.metavar,) if option.metavar else ())
    return " or ".join(f"`{each}`" for each in found) or "none"


def failure_kinds() -> str:
    from pytest_dspy_profiles._failures import HINTS, KINDS

    raised: dict[str, list[str]] = {}
    for name, kind in (*KINDS.items(), ("ValueError", "no LM")):
        raised.setdefault(kind, []).append(f"`{name}`")
    rows = (
        (f"`{kind}`", ", ".join(names), HINTS.get(kind, "what the error itself says"))
        for kind, names in raised.items()
    )
    return table(("kind", "errors", "what the report says to do"), rows)


def error_classes() -> str:
    found = [each for each in vars(errors).values() if is_error(each)]
    rows = (
        (f"[`{each.__name__}`](#{each.__name__.lower()})", str(each.exit_code), first_line(each))
        for each in found
    )
    return table(("error", "exit code", "when"), rows)


def is_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, errors.ProfileError)


def first_line(found: type) -> str:
    return (found.__doc__ or "").partition("\n")[0]


def names_of_secrets() -> str:
    return names(secret_names.SECRET_KEYS)


def not_secret_names() -> str:
    return names(secret_names.NOT_SECRET)


def gap_fillers() -> str:
    return names(f'"{text}"' for text in sorted(redaction.PLACEHOLDERS))


def names(found: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in found) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *rows]
    lines.insert(1, tuple("---" for _ in lines[0]))
    return "".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in lines
    )


def signature(path: str) -> str:
    """How something is called, read from the source: `activation/_block.py profile`."""
    file, _, name = path.partition(" ")
    found = named(ast.parse((CODE / file).read_text("utf-8")), name)
    if isinstance(found[0], ast.ClassDef):
        text = f"class {name}:\n{indented(stubs(named(found[0], '__init__')))}"
    else:
        text = stubs(found)
    return f"<!-- not run -->\n```python\n{text}```\n"


def named(node: ast.AST, name: str) -> list[ast.AST]:
    return [n for n in ast.iter_child_nodes(node) if getattr(n, "name", None) == name]


def stubs(found: list[ast.AST]) -> str:
    """Of an overloaded function all its forms, and not what is beneath them."""
    return "".join(map(stub, found[:-1] or found))


def stub(node: ast.AST) -> str:
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - a page asks for what is there
    returns = f" -> {annotation(node.returns)}" if node.returns else ""
    parameters = list(parameters_of(node.args))
    line = f"def {node.name}({', '.join(parameters)}){returns}: ..."
    if len(line) > WIDTH:
        inner = "".join(f"    {parameter},\n" for parameter in parameters)
        line = f"def {node.name}(\n{inner}){returns}: ..."
    return f"{line}\n"


def annotation(node: ast.expr) -> str:
    """A type without the quotes that keep it from being looked up."""
    quoted = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if quoted else ast.unparse(node)


WIDTH = 88


def parameters_of(arguments: ast.arguments) -> Iterator[str]:
    """Each parameter as it is written, with the spaces that `ast.unparse` leaves out."""
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    said = list(map(parameter, positional, [None] * required + list(arguments.defaults)))
    if arguments.posonlyargs:
        said.insert(len(arguments.posonlyargs), "/")
    yield from said
    if arguments.kwonlyargs:
        yield "*"
    yield from map(parameter, arguments.kwonlyargs, arguments.kw_defaults)
    if arguments.kwarg:
        yield f"**{parameter(arguments.kwarg, None)}"


def parameter(argument: ast.arg, default: ast.expr | None) -> str:
    said = ast.unparse(argument)
    return said if default is None else f"{said} = {ast.unparse(default)}".replace("'", '"')


def packages() -> str:
    """The packages of the picture in design.md, from the lowest line up."""
    rows = ((f"`{name}`", purpose(name)) for line in reversed(layers()) for name in line)
    return table(("package", "purpose"), rows)


def layers() -> list[list[str]]:
    """The lines of the picture in design.md, from the highest down."""
    picture = (DOCS / "design.md").read_text("utf-8").split("```text\n")[1].split("```")[0]
    return [line.split() for line in picture.splitlines()]


def purpose(name: str) -> str:
    """The first paragraph of a module's docstring."""
    path = (CODE if name not in PACKAGES else CODE.parent) / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def benchmarks() -> str:
    """The figures of the last run: `python -m benchmarks --json > docs/benchmarks.json`."""
    found = json.loads((DOCS / "benchmarks.json").read_text("utf-8"))
    machine = found["machine"]
    heads = ("work", "time", "ratio", "of", "bar", "verdict")
    rows = ([row["told"][head] for head in heads] for row in found["rows"])
    about = f"{machine['processor']}, {machine['cores']} cores, {machine['memory']} of memory, "
    about += f"{machine['system']}, Python {machine['python']}, DSPy {machine['dspy']}."
    return f"{about}\n\n{table(heads, rows)}"


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def help_of(words: str) -> str:
    """What `--help` of a command says on a terminal of 80 columns."""
    said = CliRunner().invoke(
        app,
        [*words.split(), "--help"],
        prog_name="dspy-profiles",
        color=False,
        env={"NO_COLOR": "1", "COLUMNS": "80", "TERMINAL_WIDTH": "80"},
    )
    lines = (line.rstrip() for line in said.output.splitlines())
    return f"```text\n{chr(10).join(lines)}\n```\n"


PARTS: dict[str, Callable[[], str]] = {
    "benchmarks": benchmarks,
    "packages": packages,
    "sections": sections,
    "settings": settings,
    "errors": error_classes,
    "pytest options": pytest_table,
    "failure kinds": failure_kinds,
    "secret names": names_of_secrets,
    "names that are not secret": not_secret_names,
    "values that are not secret": gap_fillers,
}


def part(name: str) -> str:
    """What belongs between the markers of that name."""
    if name.startswith("signature "):
        return signature(name.removeprefix("signature "))
    if name.startswith("help"):
        return help_of(name.removeprefix("help"))
    return PARTS[name]()


def pytest_options() -> str:
    """The plugin's options as it declares them: it may not import the table that they are from."""
    lines = ["OPTIONS: tuple[Option, ...] = ("]
    for each in SETTINGS:
        if not each.in_pytest:
            continue
        metavar = None if each.choices else each.metavar
        said = each.pytest_help or each.help
        fields = (each.name, each.pytest_flag, each.ini, each.env, said, metavar, each.choices)
        lines.append("    Option(")
        lines += (f"        {literal(field)}," for field in fields)
        lines.append("    ),")
    return "\n".join([*lines, ")"]) + "\n"


def literal(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return f'"{value}"' if isinstance(value, str) else str(value)


def current_options(text: str) -> str:
    """The plugin's module of options, with those that the settings lead to."""
    return re.sub(r"(?<=# generated\n)(?:.*\n)*?(?=# /generated)", lambda _: pytest_options(), text)


OPTIONS = CODE.parent / "pytest_dspy_profiles" / "_options.py"


def current(text: str) -> str:
    """A page with its generated parts as they should be."""
    return PART.sub(lambda found: f"{found[1]}{part(found[2])}{found[3]}", text)


def main() -> None:
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text("utf-8")
        if (made := current(text)) != text:
            path.write_text(made, encoding="utf-8")
    text = OPTIONS.read_text("utf-8")
    if (made := current_options(text)) != text:
        OPTIONS.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
