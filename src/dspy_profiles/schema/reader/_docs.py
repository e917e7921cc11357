"""What a docstring says: its first paragraph, each parameter, and what is deprecated."""

import ast
import re

__all__ = ["deprecated_by_text", "docstring", "parameters", "summary"]

Documented = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

_SECTION = re.compile(r"^(\s*)(?:Args|Arguments|Parameters|Keyword Args|Keyword Arguments):\s*$")
_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?:\(.*?\))?\s*:(?:\s+(.*))?$")
_NUMPY_ENTRY = re.compile(r"^\*{0,2}(\w+)\s*(?::.*)?$")
_DEPRECATED = re.compile(r"^\W*deprecated\b|\.\. deprecated::|\bis deprecated\b", re.IGNORECASE)


def docstring(node: Documented) -> str:
    """The docstring without its indentation (`ast.get_docstring` imports `inspect` for that)."""
    first = node.body[0] if node.body else None
    if not isinstance(first, ast.Expr) or not isinstance(first.value, ast.Constant):
        return ""
    text = first.value.value
    if not isinstance(text, str):
        return ""
    lines = text.expandtabs().split("\n")
    margin = min((_indent(line) for line in lines[1:] if line.strip()), default=0)
    return "\n".join([lines[0].lstrip(), *(line[margin:] for line in lines[1:])]).strip()


def summary(text: str) -> str | None:
    """The first paragraph on one line."""
    return " ".join(text.partition("\n\n")[0].split()) or None


def parameters(text: str) -> dict[str, str]:
    """What a Google or numpy style section says of each parameter, on one line each."""
    lines = text.split("\n")
    said: dict[str, str] = {}
    for number, line in enumerate(lines):
        section = _SECTION.match(line)
        if section:
            outer = len(section.group(1)) if number else -1  # the first line has lost its indent
            said |= _entries(lines[number + 1 :], outer, _ENTRY)
        elif line.strip() == "-" * 10 and lines[number - 1].strip() == "Parameters":
            said |= _entries(lines[number + 1 :], _indent(line) - 1, _NUMPY_ENTRY)
    return said


def _entries(lines: list[str], outer: int, entry: re.Pattern[str]) -> dict[str, str]:
    said: dict[str, list[str]] = {}
    depth: int | None = None
    name: str | None = None
    for line in lines:
        if not line.strip():
            continue
        indent = _indent(line)
        if indent <= outer or (depth is not None and indent < depth):
            break
        depth = indent if depth is None else depth
        if indent == depth:
            found = entry.match(line.strip())
            name = found.group(1) if found else None
            if found and name:
                said[name] = [found.group(2) or ""] if entry.groups > 1 else []
        elif name:
            said[name].append(line)
    return {name: " ".join(" ".join(parts).split()) for name, parts in said.items()}


def deprecated_by_text(text: str | None) -> str | None:
    """The text itself where it says that what it describes is deprecated."""
    return text if text and _DEPRECATED.search(text) else None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
