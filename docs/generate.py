# ruff: noqa: INP001 - a script, not a package
"""Write the generated parts of these pages: `python docs/generate.py`.

A part is between `<!-- generated: NAME -->` and `<!-- /generated -->`. A test checks that every
part is current.
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
    return table(("section", "type", "meaning"), rows)


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
    return table(("setting", "type", "environment variable", "meaning"), rows)


def pytest_table() -> str:
    """Return every option of the plugin, with its ini key and variable."""
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
    """Return the options that are settings, then the others."""
    return [*options.OPTIONS, *(v for v in vars(options).values() if isinstance(v, options.Option))]


def values_of(option: options.Option) -> str:
    if option is options.FORCE:
        return "none; `true` in the ini file, `1` in the environment"
    values = option.choices or ((option.metavar,) if option.metavar else ())
    return " or ".join(f"`{each}`" for each in values) or "none"


def failure_kinds() -> str:
    from pytest_dspy_profiles._failures import HINTS, KINDS

    raised: dict[str, list[str]] = {}
    for name, kind in (*KINDS.items(), ("ValueError", "no LM")):
        raised.setdefault(kind, []).append(f"`{name}`")
    rows = (
        (f"`{kind}`", ", ".join(names), HINTS.get(kind, "the hint of the error"))
        for kind, names in raised.items()
    )
    return table(("kind", "errors", "hint in the report"), rows)


def error_classes() -> str:
    classes = [each for each in vars(errors).values() if is_error(each)]
    rows = (
        (f"[`{each.__name__}`](#{each.__name__.lower()})", str(each.exit_code), first_line(each))
        for each in classes
    )
    return table(("error", "exit code", "when"), rows)


def is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, errors.ProfileError)


def first_line(documented: type) -> str:
    return (documented.__doc__ or "").partition("\n")[0]


def names_of_secrets() -> str:
    return names(secret_names.SECRET_KEYS)


def names_of_new_secrets() -> str:
    return names(secret_names.NEW_SECRET_KEYS)


def not_secret_names() -> str:
    return names(secret_names.NOT_SECRET)


def gap_fillers() -> str:
    return names(f'"{text}"' for text in sorted(redaction.PLACEHOLDERS))


def names(words: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in words) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *rows]
    lines.insert(1, tuple("---" for _ in lines[0]))
    return "".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in lines
    )


def signature(path: str) -> str:
    """Return the signature of a name, read from the source: `activation/_block.py profile`."""
    file, _, name = path.partition(" ")
    nodes = named(ast.parse((CODE / file).read_text("utf-8")), name)
    if isinstance(nodes[0], ast.ClassDef):
        text = f"class {name}:\n{indented(stubs(named(nodes[0], '__init__')))}"
    else:
        text = stubs(nodes)
    return f"<!-- not run -->\n```python\n{text}```\n"


def named(node: ast.AST, name: str) -> list[ast.AST]:
    return [n for n in ast.iter_child_nodes(node) if getattr(n, "name", None) == name]


def stubs(nodes: list[ast.AST]) -> str:
    """Return a function without its body; for an overloaded one, all overloads."""
    return "".join(map(stub, nodes[:-1] or nodes))


def stub(node: ast.AST) -> str:
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - pages name functions only
    returns = f" -> {annotation(node.returns)}" if node.returns else ""
    parameters = list(parameters_of(node.args))
    line = f"def {node.name}({', '.join(parameters)}){returns}: ..."
    if len(line) > WIDTH:
        inner = "".join(f"    {parameter},\n" for parameter in parameters)
        line = f"def {node.name}(\n{inner}){returns}: ..."
    return f"{line}\n"


def annotation(node: ast.expr) -> str:
    """Return a type without the quotes of a forward reference."""
    quoted = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return str(node.value) if quoted else ast.unparse(node)


WIDTH = 88


def parameters_of(arguments: ast.arguments) -> Iterator[str]:
    """Yield each parameter as written, with the spaces that `ast.unparse` omits."""
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    written = list(map(parameter, positional, [None] * required + list(arguments.defaults)))
    if arguments.posonlyargs:
        written.insert(len(arguments.posonlyargs), "/")
    yield from written
    if arguments.kwonlyargs:
        yield "*"
    yield from map(parameter, arguments.kwonlyargs, arguments.kw_defaults)
    if arguments.kwarg:
        yield f"**{parameter(arguments.kwarg, None)}"


def parameter(argument: ast.arg, default: ast.expr | None) -> str:
    name = ast.unparse(argument)
    return name if default is None else f"{name} = {ast.unparse(default)}".replace("'", '"')


def packages() -> str:
    """Return the packages of the picture in design.md, from the lowest line up."""
    rows = ((f"`{name}`", purpose(name)) for line in reversed(layers()) for name in line)
    return table(("package", "purpose"), rows)


def layers() -> list[list[str]]:
    """Return the lines of the picture in design.md, from the highest down."""
    picture = (DOCS / "design.md").read_text("utf-8").split("```text\n")[1].split("```")[0]
    return [line.split() for line in picture.splitlines()]


def purpose(name: str) -> str:
    """Return the first paragraph of a module's docstring."""
    path = (CODE if name not in PACKAGES else CODE.parent) / name.replace(".", "/")
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split())


def benchmarks() -> str:
    """Return the figures of the last run: `python -m benchmarks --json > docs/benchmarks.json`."""
    report = json.loads((DOCS / "benchmarks.json").read_text("utf-8"))
    machine = report["machine"]
    heads = ("work", "time", "ratio", "of", "bar", "verdict")
    rows = ([row["told"][head] for head in heads] for row in report["rows"])
    about = f"{machine['processor']}, {machine['cores']} cores, {machine['memory']} of memory, "
    about += f"{machine['system']}, Python {machine['python']}, DSPy {machine['dspy']}."
    return f"{about}\n\n{table(heads, rows)}"


def indented(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())


def help_of(words: str) -> str:
    """Return the output of a command's `--help` on a terminal of 80 columns."""
    result = CliRunner().invoke(
        app,
        [*words.split(), "--help"],
        prog_name="dspy-profiles",
        color=False,
        env={"NO_COLOR": "1", "COLUMNS": "80", "TERMINAL_WIDTH": "80"},
    )
    lines = (line.rstrip() for line in result.output.splitlines())
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
    "new secret names": names_of_new_secrets,
    "names that are not secret": not_secret_names,
    "values that are not secret": gap_fillers,
}


def part(name: str) -> str:
    """Return the text between the markers of that name."""
    if name.startswith("signature "):
        return signature(name.removeprefix("signature "))
    if name.startswith("help"):
        return help_of(name.removeprefix("help"))
    return PARTS[name]()


def pytest_options() -> str:
    """Return the plugin's options as source: the plugin cannot import the table of settings."""
    lines = ["OPTIONS: tuple[Option, ...] = ("]
    for each in SETTINGS:
        if not each.in_pytest:
            continue
        metavar = None if each.choices else each.metavar
        text = each.pytest_help or each.help
        fields = (each.name, each.pytest_flag, each.ini, each.env, text, metavar, each.choices)
        lines.append("    Option(")
        lines += (f"        {literal(field)}," for field in fields)
        lines.append("    ),")
    return "\n".join([*lines, ")"]) + "\n"


def literal(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    return f'"{value}"' if isinstance(value, str) else str(value)


def current_options(text: str) -> str:
    """Return the source of the plugin's options with its generated part current."""
    return re.sub(r"(?<=# generated\n)(?:.*\n)*?(?=# /generated)", lambda _: pytest_options(), text)


OPTIONS = CODE.parent / "pytest_dspy_profiles" / "_options.py"


def current(text: str) -> str:
    """Return a page with its generated parts current."""
    return PART.sub(lambda match: f"{match[1]}{part(match[2])}{match[3]}", text)


def main() -> None:
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text("utf-8")
        if (new := current(text)) != text:
            path.write_text(new, encoding="utf-8")
    text = OPTIONS.read_text("utf-8")
    if (new := current_options(text)) != text:
        OPTIONS.write_text(new, encoding="utf-8")


if __name__ == "__main__":
    main()
