"""What changed between two DSPys, and which profiles notice."""

import json

import pytest

from dspy_profiles.schema import breaks, describe, describe_diff

OLD = {
    "dspy/__init__.py": "from dspy.adapters.base import Adapter, JSONAdapter\n"
    "from dspy.lm import LM, Embedder\nfrom dspy.rm import ColBERTv2\n",
    "dspy/lm.py": "class LM:\n"
    "    def __init__(self, model: str, heat: float = 0.5, gone=None, *, kept=1, **kw): ...\n"
    "class Embedder:\n    def __init__(self, model: str): ...\n",
    "dspy/rm.py": "class ColBERTv2:\n    def __init__(self, url: str = 'a'): ...\n",
    "dspy/adapters/__init__.py": "",
    "dspy/adapters/base.py": "class Adapter:\n    def __init__(self, old=1): ...\n"
    "class JSONAdapter(Adapter): pass\nclass GoneAdapter(Adapter): pass\n",
    "dspy/teleprompt/__init__.py": "",
    "dspy/teleprompt/teleprompt.py": "class Teleprompter:\n    def compile(self, a, *, b=1): ...\n",
    "dspy/dsp/__init__.py": "",
    "dspy/dsp/utils/__init__.py": "",
    "dspy/dsp/utils/settings.py": "DEFAULT_CONFIG = dict(n=1, gone=0, same=[], trace=[])\n",
}
NEW = OLD | {
    "dspy/lm.py": "class LM:\n"
    "    def __init__(self, model: str, heat: int = 0.7, *, kept=1, need: str, **kw): ...\n"
    "class Embedder:\n    def __init__(self, model: str, size: int = 3): ...\n",
    "dspy/adapters/base.py": "class Adapter:\n    def __init__(self, old=1, **more): ...\n"
    "class JSONAdapter(Adapter): pass\nclass FreshAdapter(Adapter): pass\n",
    "dspy/teleprompt/teleprompt.py": "class Teleprompter:\n    def compile(self, a, *, c): ...\n",
    "dspy/dsp/utils/settings.py": "DEFAULT_CONFIG = dict(n=2, fresh='x', same=[], trace=[], "
    "send_stream=None)\n",
}


@pytest.fixture
def pair(files):
    return describe(files(OLD, "old")), describe(files(NEW, "new"))


def told(changes):
    return [(c["change"], c["what"], c["owner"], c["name"], c["field"]) for c in changes]


FRESH = "dspy.adapters.base.FreshAdapter"
GONE = "dspy.adapters.base.GoneAdapter"
COMPILE = "dspy.teleprompt.teleprompt.Teleprompter.compile"


def test_every_difference_is_told_once_and_nothing_else(pair):
    assert told(describe_diff(*pair)) == [
        ("added", "setting", "dspy.settings", "fresh", None),
        ("removed", "setting", "dspy.settings", "gone", None),
        ("changed", "setting", "dspy.settings", "n", "default"),
        ("changed", "class", "dspy.Adapter", "dspy.Adapter", "open"),
        ("added", "parameter", "dspy.Adapter", "more", None),
        ("added", "parameter", "dspy.Embedder", "size", None),
        ("changed", "class", "dspy.JSONAdapter", "dspy.JSONAdapter", "open"),
        ("added", "parameter", "dspy.JSONAdapter", "more", None),
        ("removed", "parameter", "dspy.LM", "gone", None),
        ("changed", "parameter", "dspy.LM", "heat", "type"),
        ("changed", "parameter", "dspy.LM", "heat", "default"),
        ("added", "parameter", "dspy.LM", "need", None),
        ("added", "class", FRESH, FRESH, None),
        ("removed", "class", GONE, GONE, None),
        ("removed", "method parameter", COMPILE, "b", None),
        ("added", "method parameter", COMPILE, "c", None),
    ]


def test_a_change_holds_both_sides_and_is_plain_json(pair):
    changes = describe_diff(*pair)
    assert json.loads(json.dumps(changes)) == changes
    heat = next(c for c in changes if c["name"] == "heat" and c["field"] == "type")
    assert (heat["old"], heat["new"]) == ({"kind": "number"}, {"kind": "integer"})
    default = next(c for c in changes if c["name"] == "heat" and c["field"] == "default")
    assert (default["old"], default["new"]) == ("0.5", "0.7")
    need = next(c for c in changes if c["name"] == "need")
    assert need["old"] is None
    assert need["new"]["required"] is True


def test_the_same_dspy_has_no_differences(pair, installed):
    assert describe_diff(pair[0], pair[0]) == []
    assert describe_diff(installed, installed) == []
    assert len(describe_diff(*reversed(pair))) == len(describe_diff(*pair))


@pytest.mark.parametrize(
    ("values", "touched"),
    [
        ({}, []),
        ({"description": "x"}, []),
        ({"lm": {"model": "x", "heat": 1, "need": "a"}}, ["lm.heat", "lm.heat", "lm.need"]),
        ({"lm": {"model": "x", "gone": 1}}, ["lm.gone", "lm.heat", "lm.need"]),
        ({"lms": {"t": {"model": "x"}}}, ["lms.t.heat", "lms.t.need"]),
        ({"settings": {"gone": 1}}, ["settings.gone", "settings.n"]),
        ({"settings": {"same": []}}, ["settings.n"]),
        ({"rm": {"url": "x"}}, []),
        ({"embedder": {"model": "x"}}, []),
        ({"embedder": {"model": "x", "size": 1}}, ["embedder.size"]),
        ({"adapter": {"class": "dspy.JSONAdapter", "more": 1}}, ["adapter", "adapter.more"]),
        ({"adapter": {"class": "dspy.adapters.base:GoneAdapter"}}, ["adapter"]),
        ({"adapter": {"class": "my.Adapter", "more": 1}}, []),
    ],
)
def test_a_profile_notices_what_it_uses(pair, profile, values, touched):
    old, new = pair
    found = []
    for change in describe_diff(old, new):
        found += [".".join(path) for path in breaks(change, profile(values), old)]
    assert found == touched
