"""Writes the parts of these pages that the code knows better: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`. Tests hold every part
to what this would write.
"""

import ast
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import dspy_profiles
from dspy_profiles import errors, secrets
from dspy_profiles.sections import SECTIONS
from dspy_profiles.settings import SETTINGS

DOCS = Path(__file__).parent
CODE = Path(dspy_profiles.__file__).parent
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


def secret_names() -> str:
    return names(secrets.SECRET_KEYS)


def not_secret_names() -> str:
    return names(secrets.NOT_SECRET)


def gap_fillers() -> str:
    return names(f'"{text}"' for text in sorted(secrets.GAP_FILLERS))


def names(found: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in found) + "\n"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(head), *rows]
    lines.insert(1, tuple("---" for _ in lines[0]))
    return "".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |\n" for row in lines)


def signature(path: str) -> str:
    """How something is called, read from the source: `activation/block.py profile`."""
    file, _, dotted = path.partition(" ")
    node: ast.AST = ast.parse((CODE / file).read_text("utf-8"))
    for name in dotted.split("."):
        node = next(n for n in ast.iter_child_nodes(node) if getattr(n, "name", None) == name)
    name = dotted.rpartition(".")[2]
    if isinstance(node, ast.ClassDef):
        own = next(n for n in node.body if getattr(n, "name", None) == "__init__")
        return stub(f"class {name}", own)
    return stub(f"def {name}", node)


def stub(start: str, node: ast.AST) -> str:
    assert isinstance(node, ast.FunctionDef)  # noqa: S101 - a page asks for what is there
    arguments = [part for part in split(ast.unparse(node.args)) if part != "self"]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and start[:3] == "def" else ""
    line = f"{start}({', '.join(arguments)}){returns}: ..."
    if len(line) > WIDTH:
        inner = "".join(f"    {argument},\n" for argument in arguments)
        line = f"{start}(\n{inner}){returns}: ..."
    return f"<!-- not run -->\n```python\n{line}\n```\n"


WIDTH = 88


def split(arguments: str) -> list[str]:
    """The arguments one by one; a comma within brackets parts nothing."""
    return [part.strip() for part in re.findall(r"(?:[^,\[]|\[[^\]]*\]+)+", arguments)]


PARTS: dict[str, Callable[[], str]] = {
    "sections": sections,
    "settings": settings,
    "errors": error_classes,
    "secret names": secret_names,
    "names that are not secret": not_secret_names,
    "values that are not secret": gap_fillers,
}


def part(name: str) -> str:
    """What belongs between the markers of that name."""
    if name.startswith("signature "):
        return signature(name.removeprefix("signature "))
    return PARTS[name]()


def current(text: str) -> str:
    """A page with its generated parts as they should be."""
    return PART.sub(lambda found: f"{found[1]}{part(found[2])}{found[3]}", text)


def main() -> None:
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text("utf-8")
        if (made := current(text)) != text:
            path.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
