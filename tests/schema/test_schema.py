"""The JSON Schema of a profiles file: what it accepts, and where it points at a fault."""

import json
import os
import shutil
import subprocess
import tomllib
from typing import Any

import pytest

from dspy_profiles.schema import profiles_schema

jsonschema = pytest.importorskip("jsonschema")

M = 'model = "openai/gpt-4o-mini"\n'

GOOD = {
    "an empty file": "",
    "a whole profile": """
        [prod]
        extends = "base"
        description = "paid"
        [prod.lm]
        model = "openai/gpt-4o"
        api_key = "${OPENAI_API_KEY}"
        temperature = 0.7
        max_tokens = 1000
        cache = false
        callbacks = ["pkg.mod.Callback", "pkg.mod:Other"]
        stop = ["END"]
        extra_headers = { "X-Trace" = "1" }
        [prod.rm]
        url = "http://localhost:8893/api/search"
        port = 8893
        [prod.adapter]
        class = "dspy.JSONAdapter"
        [prod.settings]
        num_threads = 32
        track_usage = true
        [prod.lms.teacher]
        model = "openai/o3"
        [prod.embedder]
        model = "openai/text-embedding-3-small"
        [prod.env]
        LITELLM_LOCAL_MODEL_COST_MAP = "True"
    """,
    "several parents": '[a]\nextends = ["b", "c"]\n',
    "dotted keys": '[a]\nlm.model = "x/y"\nlm.temperature = 1\n',
    "a reference for a number": '[a.lm]\nmodel = "x"\ntemperature = "${T}"\n',
    "a reference with a fallback": '[a.lm]\nmodel = "x"\nmax_tokens = "${N:-5}"\n',
    "a reference for a boolean": '[a.lm]\nmodel = "x"\ncache = "env:CACHE"\n',
    "a reference for a choice": '[a.lm]\nmodel = "x"\nmodel_type = "${KIND}"\n',
    "a file's reference": '[a.settings]\nnum_threads = "file:/run/n"\n',
    "what dspy.LM passes on": '[a.lm]\nmodel = "x"\nanything = { at = ["all"] }\n',
    "a port that is a string": '[a.rm]\nport = "80"\n',
    "another retriever": '[a.rm]\nclass = "dspy.Retrieve"\nk = 3\n',
    "another retriever by its other name": '[a.rm]\nclass_name = "dspy.Retrieve"\nk = 3\n',
    "a retriever of one's own": '[a.rm]\nclass = "pkg.mod:Own"\nwhatever = 1\n',
    "an adapter with a role": """
        [a.adapter]
        class = "dspy.TwoStepAdapter"
        extraction_model = "small"
    """,
    "an adapter of one's own": '[a.adapter]\nclass = "pkg.Own"\nloud = true\n',
    "a provider by short name": '[a.provider]\nclass = "mock"\nanswers = { a = 1 }\n',
    "a role alone": "[a.lms.teacher]\ntemperature = 1\n",
}

# name -> (toml, path of the fault)
WRONG = {
    "a profile that is a string": ('a = "b"', ["a"]),
    "a profile that is a list": ("[[a]]\nx = 1", ["a"]),
    "an unknown section": ("[a.settigns]\nx = 1", ["a"]),
    "an unknown key of a profile": ('[a]\nmodel = "x"', ["a"]),
    "a parent that is a number": ("[a]\nextends = 3", ["a", "extends"]),
    "parents that are numbers": ("[a]\nextends = [3]", ["a", "extends"]),
    "a description that is a table": ("[a.description]\nx = 1", ["a", "description"]),
    "an lm that is a string": ('[a]\nlm = "x"', ["a", "lm"]),
    "a model that is a number": ("[a.lm]\nmodel = 3", ["a", "lm", "model"]),
    "a temperature in words": ('[a.lm]\ntemperature = "hot"', ["a", "lm", "temperature"]),
    "a temperature that is true": ("[a.lm]\ntemperature = true", ["a", "lm", "temperature"]),
    "tokens with a fraction": ("[a.lm]\nmax_tokens = 1.5", ["a", "lm", "max_tokens"]),
    "tokens as text": ('[a.lm]\nmax_tokens = "100"', ["a", "lm", "max_tokens"]),
    "an escaped reference": ('[a.lm]\nmax_tokens = "$${N}"', ["a", "lm", "max_tokens"]),
    "a cache in words": ('[a.lm]\ncache = "no"', ["a", "lm", "cache"]),
    "a cache that is a number": ("[a.lm]\ncache = 1", ["a", "lm", "cache"]),
    "no such choice": ('[a.lm]\nmodel_type = "chatty"', ["a", "lm", "model_type"]),
    "callbacks that are no list": ('[a.lm]\ncallbacks = "x.Y"', ["a", "lm", "callbacks"]),
    "a callback that is no path": ('[a.lm]\ncallbacks = ["x y"]', ["a", "lm", "callbacks", 0]),
    "an object that no file holds": ("[a.lm.prompt_cache]\nx = 1", ["a", "lm", "prompt_cache"]),
    "a table that is a list": ("[a.lm]\nlaunch_kwargs = [1]", ["a", "lm", "launch_kwargs"]),
    "a top_p in words": ('[a.lm]\ntop_p = "x"', ["a", "lm", "top_p"]),
    "a seed with a fraction": ("[a.lm]\nseed = 0.1", ["a", "lm", "seed"]),
    "headers that are a string": ('[a.lm]\nheaders = "x"', ["a", "lm", "headers"]),
    "roles that are a string": ('[a]\nlms = "x"', ["a", "lms"]),
    "a role that is a string": ('[a.lms]\nt = "x"', ["a", "lms", "t"]),
    "a wrong value of a role": ('[a.lms.t]\ncache = "x"', ["a", "lms", "t", "cache"]),
    "a url that is a number": ("[a.rm]\nurl = 3", ["a", "rm", "url"]),
    "a port that is a fraction": ("[a.rm]\nport = 8.5", ["a", "rm", "port"]),
    "an unknown key of ColBERTv2": ("[a.rm]\nprot = 80", ["a", "rm"]),
    "one of ColBERTv2 by name": ('[a.rm]\nclass = "dspy.ColBERTv2"\nk = 1', ["a", "rm"]),
    "one of another retriever": ('[a.rm]\nclass = "dspy.Retrieve"\nurl = "x"', ["a", "rm"]),
    "a class that is no path": ('[a.adapter]\nclass = "JSON Adapter"', ["a", "adapter", "class"]),
    "a bare class name": ('[a.adapter]\nclass = "JSONAdapter"', ["a", "adapter", "class"]),
    "an adapter without a class": ("[a.adapter]\ncallbacks = []", ["a", "adapter"]),
    "an unknown key of an adapter": (
        '[a.adapter]\nclass = "dspy.XMLAdapter"\nx = 1',
        ["a", "adapter"],
    ),
    "a key of another adapter": (
        '[a.adapter]\nclass = "dspy.JSONAdapter"\nuse_json_adapter_fallback = true',
        ["a", "adapter"],
    ),
    "a wrong value of an adapter": (
        '[a.adapter]\nclass = "dspy.XMLAdapter"\nuse_native_function_calling = "no"',
        ["a", "adapter", "use_native_function_calling"],
    ),
    "a provider without a class": ('[a.provider]\napi_base = "x"', ["a", "provider"]),
    "a provider's class that is a number": ("[a.provider]\nclass = 1", ["a", "provider", "class"]),
    "an unknown setting": ("[a.settings]\nnum_thread = 1", ["a", "settings"]),
    "an lm among the settings": ('[a.settings]\nlm = "x"', ["a", "settings"]),
    "an own setting of DSPy": ("[a.settings]\ntrace = []", ["a", "settings"]),
    "threads in words": ('[a.settings]\nnum_threads = "8"', ["a", "settings", "num_threads"]),
    "usage that is a number": ("[a.settings]\ntrack_usage = 1", ["a", "settings", "track_usage"]),
    "a batch in words": ('[a.embedder]\nbatch_size = "x"', ["a", "embedder", "batch_size"]),
    "an embedder's model that is a list": ("[a.embedder]\nmodel = [1]", ["a", "embedder", "model"]),
    "a variable that is a number": ("[a.env]\nX = 1", ["a", "env", "X"]),
}  # fmt: skip


def toml(text: Any) -> Any:
    return tomllib.loads("\n".join(line.strip() for line in text.splitlines()))


@pytest.fixture(scope="session")
def schema(installed: Any) -> Any:
    return profiles_schema(installed)


@pytest.fixture(scope="session")
def validator(schema: Any) -> Any:
    return jsonschema.Draft4Validator(schema)


def test_it_is_a_schema_of_draft_4_and_plain_json(schema: Any, installed: Any) -> None:
    jsonschema.Draft4Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert json.loads(json.dumps(schema)) == schema
    assert installed["version"] in schema["title"]


@pytest.mark.parametrize("case", GOOD)
def test_a_good_file_is_accepted(validator: Any, case: Any) -> None:
    assert [e.message for e in validator.iter_errors(toml(GOOD[case]))] == []


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_rejected_at_its_fault(validator: Any, case: Any) -> None:
    text, path = WRONG[case]
    found = [list(error.absolute_path) for error in validator.iter_errors(toml(text))]
    assert found
    if path not in found:  # inside one of several alternatives
        inner = [
            list(e.absolute_path)
            for error in validator.iter_errors(toml(text))
            for e in error.context
        ]
        assert path in inner
        assert all(path[: len(f)] == f for f in found)


def test_the_words_are_those_of_the_docstrings(schema: Any) -> None:
    lm = schema["definitions"]["lm"]["properties"]
    assert lm["temperature"]["description"].startswith("The sampling temperature")
    assert lm["num_retries"]["default"] == 3
    settings = schema["definitions"]["settings"]
    assert settings["properties"]["num_threads"]["default"] == 8
    assert settings["additionalProperties"] is False
    assert "parallel" in settings["properties"]["num_threads"]["description"]


def test_without_dspy_the_schema_is_open(tmp_path: Any) -> None:
    from dspy_profiles.schema._describe import describe

    schema = profiles_schema(describe(tmp_path))
    jsonschema.Draft4Validator.check_schema(schema)
    validator = jsonschema.Draft4Validator(schema)
    assert validator.is_valid(toml('[a.lm]\nx = 1\n[a.settings]\ny = 1\n[a.rm]\nclass = "a.b"'))
    assert not validator.is_valid(toml("[a.nonsense]\nx = 1"))


@pytest.mark.slow
def test_taplo_agrees(schema: Any, tmp_path: Any) -> None:
    """The checker behind most TOML editors; it is not among our dependencies."""
    taplo = shutil.which("taplo") or install_taplo(tmp_path / "tools")
    (tmp_path / "schema.json").write_text(json.dumps(schema))
    (tmp_path / "home").mkdir()

    def accepted(text: Any) -> Any:
        file = tmp_path / "profiles.toml"
        lines = "\n".join(line.strip() for line in text.splitlines())
        file.write_text(f"#:schema {(tmp_path / 'schema.json').as_uri()}\n{lines}\n")
        done = subprocess.run(
            [taplo, "check", "--schema", (tmp_path / "schema.json").as_uri(), str(file)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path / "home")},
        )
        assert "failed to load" not in done.stderr
        return done.returncode == 0

    assert [case for case, text in GOOD.items() if not accepted(text)] == []
    assert [case for case, (text, _) in WRONG.items() if accepted(text)] == []


def install_taplo(folder: Any) -> Any:
    uv = shutil.which("uv")
    if uv is None:
        pytest.skip("neither taplo nor uv is on PATH")
    done = subprocess.run(
        [uv, "pip", "install", "--quiet", "--target", str(folder), "taplo"],
        capture_output=True,
        text=True,
        check=False,
    )
    binary = folder / "bin" / ("taplo.exe" if os.name == "nt" else "taplo")
    if done.returncode or not binary.exists():
        pytest.skip(f"taplo cannot be installed: {done.stderr.strip()[-200:]}")
    return str(binary)
