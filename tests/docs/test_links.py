"""Every link leads somewhere."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"#{1,6} +(.+)")


def anchors(page: Any) -> Iterator[Any]:
    """The anchors of a page's headings, spelled as GitHub spells them."""
    seen: Counter[str] = Counter()
    for _, line in page.prose:
        heading = HEADING.fullmatch(line)
        if heading is None:
            continue
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        yield slug if not seen[slug] else f"{slug}-{seen[slug]}"
        seen[slug] += 1


def test_every_relative_link_and_anchor_leads_somewhere(page: Any, all_pages: Any) -> None:
    by_path = {other.path: set(anchors(other)) for other in all_pages}
    faults = []
    for number, line in page.prose:
        for target in LINK.findall(line):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            file = (page.path.parent / path).resolve() if path else page.path
            if not file.exists():
                faults.append(f"{page.name}:{number}: there is no {target}")
            elif anchor and anchor not in by_path.get(file, ()):
                faults.append(f"{page.name}:{number}: {target} has no such heading")
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("first", ["README.md", "docs/index.md"])
def test_every_page_can_be_reached_from_the_first(first: Any, all_pages: Any) -> None:
    by_path = {page.path: page for page in all_pages}
    entries = [page.path for page in all_pages if page.name in ("README.md", "docs/index.md")]
    reached, waiting = set(), [page.path for page in all_pages if page.name == first]
    while waiting:
        path = waiting.pop()
        if path in reached or path not in by_path:
            continue
        reached.add(path)
        targets = LINK.findall("\n".join(line for _, line in by_path[path].prose))
        waiting += [(path.parent / t.partition("#")[0]).resolve() for t in targets if t[0] != "#"]
    assert by_path.keys() - reached <= set(entries)
