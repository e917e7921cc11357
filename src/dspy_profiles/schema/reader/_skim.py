"""A source without the bodies that nobody asks about: most of the time of a cold read is parsing.

What the reader wants of a file are its imports, classes, assignments, constructors and the
signature of `compile`. The rest of the methods is most of the text.
"""

import re

__all__ = ["skim"]

_KEPT = frozenset({"__getattr__", "__init__", "__new__", "compile"})

# Whatever can hold a quote or a `def` that is not code. Only those over several lines matter
# afterwards, but all have to be walked to know where one begins.
_TOKEN = re.compile(
    r'#[^\n]*|"""(?:[^"\\]|\\.|"(?!""))*"""|\'\'\'(?:[^\'\\]|\\.|\'(?!\'\'))*\'\'\''
    r'|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'',
    re.DOTALL,
)
_DEF = re.compile(r"^([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
_VEIL = "\0"  # stands for a line break inside a string; no source that Python reads holds one
# The rest of a signature up to its colon, and a docstring right below it.
_HEAD = re.compile(
    r"[^:]*?\(.*?\)[^\n()]*:[ \t]*(?:#[^\n]*)?\n(?:([ \t]+)[rRuU]?[\"'][^\n]*[\"'][ \t]*\n)?",
    re.DOTALL,
)


def skim(source: str) -> str:
    """`source` with the bodies of its functions gone; it parses to the same declarations.

    A constructor keeps its body where that tells something: what becomes of its `**kwargs`,
    and which parameters it warns about. It goes by indentation and brackets. Where those
    mislead, the result does not parse, and the caller takes the whole source.
    """
    if _VEIL in source:
        return source
    veiled = _veil(source)
    warns = "Deprecation" in source
    kept: list[str] = []
    at = 0
    found = _DEF.search(veiled)
    while found is not None:
        indent, name = found.group(1, 2)
        end = _end(veiled, found.end(), len(indent))
        if name not in _KEPT:
            kept.append(veiled[at : found.start()])
            kept.append(f"{indent}def {name}(*args, **kwargs): ...\n")
            at = end
        elif not warns:
            head = _HEAD.match(veiled, found.end(), end)
            if head is not None and _is_dull(name, head.group()):
                kept.append(veiled[at : head.end()])
                kept.append(f"{head.group(1) or indent + ' '}...\n")
                at = end
        found = _DEF.search(veiled, end)
    kept.append(veiled[at:])
    return "".join(kept).replace(_VEIL, "\n")


def _is_dull(name: str, head: str) -> bool:
    """Whether nothing can be learned from the body of a function that is kept."""
    if name == "__getattr__":
        return False
    return name == "compile" or "**" not in head


def _veil(source: str) -> str:
    pieces: list[str] = []
    at = 0
    for token in _TOKEN.finditer(source):
        text = token.group()
        if "\n" in text:
            pieces.append(source[at : token.start()])
            pieces.append(text.replace("\n", _VEIL))
            at = token.end()
    pieces.append(source[at:])
    return "".join(pieces)


_ENDS: dict[int, re.Pattern[str]] = {}


def _end(veiled: str, start: int, indent: int) -> int:
    """Where the function that starts before `start` is over: the next line no deeper than it."""
    if indent not in _ENDS:
        # A closing bracket there ends the signature, a comment means nothing.
        _ENDS[indent] = re.compile(rf"^[ \t]{{0,{indent}}}(?=[^\s#)\]}}])", re.MULTILINE)
    found = _ENDS[indent].search(veiled, start)
    return len(veiled) if found is None else found.start()
