"""A profile is checked against the installed DSPy: message, key and place of every fault."""

import datetime as dt
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from dspy_profiles.errors import Place
from dspy_profiles.schema import check, check_value, known_keys
from dspy_profiles.schema._describe import describe
from dspy_profiles.schema._sections import near_miss

M = {"model": "openai/gpt-4o-mini"}
SECRET = "sk-proj-0123456789abcdef"

# name -> (values, key, message, hint, line); the n-th value of a profile stands in line n + 1
INSTALLED = f"DSPy {version('dspy')} is installed"
ERRORS = {
    "a string for a number": (
        {"lm": M | {"temperature": "hot"}},
        "lm.temperature",
        'lm.temperature: expected a number, got the string "hot"',
        None,
        3,
    ),
    "a boolean for a number": (
        {"lm": M | {"temperature": True}},
        "lm.temperature",
        "lm.temperature: expected a number, got the boolean true",
        None,
        3,
    ),
    "a fraction for a whole number": (
        {"lm": M | {"max_tokens": 0.5}},
        "lm.max_tokens",
        "lm.max_tokens: expected a whole number, got the number 0.5",
        None,
        3,
    ),
    "a boolean for a whole number": (
        {"lm": M | {"num_retries": False}},
        "lm.num_retries",
        "lm.num_retries: expected a whole number, got the boolean false",
        None,
        3,
    ),
    "a string for a boolean": (
        {"lm": M | {"cache": "yes"}},
        "lm.cache",
        'lm.cache: expected true or false, got the string "yes"',
        None,
        3,
    ),
    "a number for a string": (
        {"lm": {"model": 4}},
        "lm.model",
        "lm.model: expected a string, got the number 4",
        None,
        2,
    ),
    "none of the choices": (
        {"lm": M | {"model_type": "chatty"}},
        "lm.model_type",
        'lm.model_type: expected one of "chat", "text" or "responses", got the string "chatty"',
        None,
        3,
    ),
    "a list for a table": (
        {"lm": M | {"train_kwargs": [1]}},
        "lm.train_kwargs",
        "lm.train_kwargs: expected a table, got a list",
        None,
        3,
    ),
    "a table for a string": (
        {"lm": M | {"finetuning_model": {"a": 1}}},
        "lm.finetuning_model",
        "lm.finetuning_model: expected a string, got a table",
        None,
        3,
    ),
    "a date for a string": (
        {"lm": M | {"finetuning_model": dt.date(2026, 1, 1)}},
        "lm.finetuning_model",
        "lm.finetuning_model: expected a string, got a date or time",
        None,
        3,
    ),
    "callbacks that are no list": (
        {"lm": M | {"callbacks": "pkg.Callback"}},
        "lm.callbacks",
        'lm.callbacks: expected a list, each an import path, got the string "pkg.Callback"',
        None,
        3,
    ),
    "a callback that is no import path": (
        {"lm": M | {"callbacks": ["pkg.Callback", "not a path"]}},
        "lm.callbacks",
        'lm.callbacks: item 2: expected an import path, got the string "not a path"',
        None,
        3,
    ),
    "an object that no file can hold": (
        {"lm": M | {"prompt_cache": {"ttl": 1}}},
        "lm.prompt_cache",
        "lm.prompt_cache: expected a CacheConfig object, which a file cannot hold, got a table",
        None,
        3,
    ),
    "a provider in the wrong place": (
        {"lm": M | {"provider": "openai"}},
        "lm.provider",
        (
            "lm.provider: expected a Provider object, which a file cannot hold, "
            'got the string "openai"'
        ),
        "name your provider in a [NAME.provider] section",
        3,
    ),
    "no model": (
        {"lm": {"temperature": 0.5}},
        "lm.model",
        "lm.model: is missing",
        'as in model = "openai/gpt-4o-mini"',
        2,
    ),
    "an empty model": (
        {"lm": {"model": ""}},
        "lm.model",
        "lm.model: is empty",
        'as in model = "openai/gpt-4o-mini"',
        2,
    ),
    "a letter wrong in what the mock takes": (
        {"provider": {"class": "mock", "anwsers": {}}},
        "provider.anwsers",
        'provider.anwsers: mock has no parameter "anwsers"',
        'did you mean "answers"?',
        3,
    ),
    "letters swapped": (
        {"lm": M | {"modle": "x"}},
        "lm.modle",
        'lm.modle: dspy.LM has no parameter "modle"',
        'did you mean "model"?',
        3,
    ),
    "a letter left out": (
        {"lm": M | {"temprature": 0.1}},
        "lm.temprature",
        'lm.temprature: dspy.LM has no parameter "temprature"',
        'did you mean "temperature"?',
        3,
    ),
    "another way of writing": (
        {"lm": M | {"maxTokens": 5}},
        "lm.maxTokens",
        'lm.maxTokens: dspy.LM has no parameter "maxTokens"',
        'did you mean "max_tokens"?',
        3,
    ),
    "a slip in what is passed on": (
        {"lm": M | {"presence_penalti": 1}},
        "lm.presence_penalti",
        'lm.presence_penalti: dspy.LM has no parameter "presence_penalti"',
        'did you mean "presence_penalty"?',
        3,
    ),
    "a wrong type of what is passed on": (
        {"lm": M | {"top_p": "high"}},
        "lm.top_p",
        'lm.top_p: expected a number, got the string "high"',
        None,
        3,
    ),
    "a wrong list of what is passed on": (
        {"lm": M | {"stop": [1]}},
        "lm.stop",
        "lm.stop: item 1: expected a string, got the number 1",
        None,
        3,
    ),
    "a wrong seed": (
        {"lm": M | {"seed": "42"}},
        "lm.seed",
        'lm.seed: expected a whole number, got the string "42"',
        None,
        3,
    ),
    "lm is no table": (
        {"lm": "openai/gpt-4o"},
        "lm",
        "lm: expected a table, as in [prod.lm]",
        None,
        2,
    ),
    "a role without a model": (
        {"lms": {"teacher": {"max_tokens": 5}}},
        "lms.teacher.model",
        "lms.teacher.model: is missing",
        'as in model = "openai/gpt-4o-mini"',
        2,
    ),
    "a role that is no table": (
        {"lms": {"teacher": "openai/o3"}},
        "lms.teacher",
        "lms.teacher: expected a table, as in [prod.lms.teacher]",
        None,
        2,
    ),
    "a wrong type in a role": (
        {"lms": {"teacher": M | {"temperature": "0"}}},
        "lms.teacher.temperature",
        'lms.teacher.temperature: expected a number, got the string "0"',
        None,
        3,
    ),
    "a slip in a role": (
        {"lms": {"teacher": M | {"cahce": True}}},
        "lms.teacher.cahce",
        'lms.teacher.cahce: dspy.LM has no parameter "cahce"',
        'did you mean "cache"?',
        3,
    ),
    "an embedder without a model": (
        {"embedder": {"batch_size": 10}},
        "embedder.model",
        "embedder.model: is missing: dspy.Embedder needs it",
        None,
        2,
    ),
    "a wrong type in the embedder": (
        {"embedder": M | {"batch_size": "many"}},
        "embedder.batch_size",
        'embedder.batch_size: expected a whole number, got the string "many"',
        None,
        3,
    ),
    "a slip in the embedder": (
        {"embedder": M | {"batchsize": 5}},
        "embedder.batchsize",
        'embedder.batchsize: dspy.Embedder has no parameter "batchsize"',
        'did you mean "batch_size"?',
        3,
    ),
    "an unknown setting": (
        {"settings": {"num_thread": 4}},
        "settings.num_thread",
        'settings.num_thread: DSPy has no setting "num_thread"',
        'did you mean "num_threads"?',
        2,
    ),
    "a setting far from any": (
        {"settings": {"zzz": 4}},
        "settings.zzz",
        'settings.zzz: DSPy has no setting "zzz"',
        INSTALLED,
        2,
    ),
    "a wrong type of a setting": (
        {"settings": {"num_threads": "eight"}},
        "settings.num_threads",
        'settings.num_threads: expected a whole number, got the string "eight"',
        None,
        2,
    ),
    "a number for a switch": (
        {"settings": {"track_usage": 1}},
        "settings.track_usage",
        "settings.track_usage: expected true or false, got the number 1",
        None,
        2,
    ),
    "an LM among the settings": (
        {"settings": {"lm": "openai/gpt-4o"}},
        "settings.lm",
        "settings.lm: belongs in its own section",
        "write [prod.lm]",
        2,
    ),
    "an adapter among the settings": (
        {"settings": {"adapter": "dspy.JSONAdapter"}},
        "settings.adapter",
        "settings.adapter: belongs in its own section",
        "write [prod.adapter]",
        2,
    ),
    "the cache's folder among the settings": (
        {"settings": {"cache_dir": "/tmp/x"}},
        "settings.cache_dir",
        "settings.cache_dir: has no effect",
        "set DSPY_CACHEDIR in [prod.env]",
        2,
    ),
    "DSPy's own setting": (
        {"settings": {"trace": []}},
        "settings.trace",
        "settings.trace: is internal to DSPy and cannot be set",
        None,
        2,
    ),
    "settings' callbacks": (
        {"settings": {"callbacks": [3]}},
        "settings.callbacks",
        "settings.callbacks: item 1: expected an import path, got the number 3",
        None,
        2,
    ),
    "an interpreter that is no path": (
        {"settings": {"interpreter_factory": "Python"}},
        "settings.interpreter_factory",
        (
            "settings.interpreter_factory: expected the import path of a function, "
            'got the string "Python"'
        ),
        None,
        2,
    ),
    "an unknown key of ColBERTv2": (
        {"rm": {"url": "http://x", "prot": 80}},
        "rm.prot",
        'rm.prot: dspy.ColBERTv2 has no parameter "prot"',
        'did you mean "port"?',
        3,
    ),
    "ColBERTv2 by its other name": (
        {"rm": {"class_name": "dspy.ColBERTv2", "k": 3}},
        "rm.k",
        'rm.k: dspy.ColBERTv2 has no parameter "k"',
        INSTALLED,
        3,
    ),
    "two classes at once": (
        {"rm": {"class": "dspy.ColBERTv2", "class_name": "dspy.Retrieve"}},
        "rm.class_name",
        "rm.class_name: differs from `class`",
        "remove one of them",
        3,
    ),
    "a port that is a fraction": (
        {"rm": {"port": 80.5}},
        "rm.port",
        "rm.port: expected a string or a whole number, got the number 80.5",
        None,
        2,
    ),
    "a retriever that needs more": (
        {"rm": {"class": "dspy.Embeddings", "embedder": "x"}},
        "rm.corpus",
        "rm.corpus: is missing: dspy.Embeddings needs it",
        None,
        2,
    ),
    "an adapter as retriever": (
        {"rm": {"class": "dspy.JSONAdapter"}},
        "rm.class",
        "rm.class: dspy.JSONAdapter is not a retriever",
        None,
        2,
    ),
    "a bare class name": (
        {"adapter": {"class": "JSONAdapter"}},
        "adapter.class",
        'adapter.class: "JSONAdapter" is not an import path',
        'did you mean "dspy.JSONAdapter"?',
        2,
    ),
    "an adapter that DSPy has not": (
        {"adapter": {"class": "dspy.JSONAdaptor"}},
        "adapter.class",
        "adapter.class: dspy has no JSONAdaptor",
        'did you mean "dspy.JSONAdapter"?',
        2,
    ),
    "an optimizer as adapter": (
        {"adapter": {"class": "dspy.MIPROv2"}},
        "adapter.class",
        "adapter.class: dspy.MIPROv2 is not an adapter",
        None,
        2,
    ),
    "an adapter without a class": (
        {"adapter": {"callbacks": []}},
        "adapter.class",
        "adapter.class: is missing",
        'as in class = "dspy.JSONAdapter"',
        2,
    ),
    "a class that is a number": (
        {"adapter": {"class": 3}},
        "adapter.class",
        "adapter.class: expected a string, got the number 3",
        None,
        2,
    ),
    "an unknown key of an adapter": (
        {"adapter": {"class": "dspy.ChatAdapter", "use_json_fallback": True}},
        "adapter.use_json_fallback",
        'adapter.use_json_fallback: dspy.ChatAdapter has no parameter "use_json_fallback"',
        'did you mean "use_json_adapter_fallback"?',
        3,
    ),
    "a key that only another adapter has": (
        {"adapter": {"class": "dspy.JSONAdapter", "use_json_adapter_fallback": True}},
        "adapter.use_json_adapter_fallback",
        (
            "adapter.use_json_adapter_fallback: dspy.JSONAdapter has no parameter "
            '"use_json_adapter_fallback"'
        ),
        INSTALLED,
        3,
    ),
    "a wrong type in an adapter": (
        {"adapter": {"class": "dspy.XMLAdapter", "use_native_function_calling": "no"}},
        "adapter.use_native_function_calling",
        'adapter.use_native_function_calling: expected true or false, got the string "no"',
        None,
        3,
    ),
    "an adapter that needs a role": (
        {"adapter": {"class": "dspy.TwoStepAdapter"}},
        "adapter.extraction_model",
        "adapter.extraction_model: is missing: dspy.TwoStepAdapter needs it",
        None,
        2,
    ),
    "a role that is not there": (
        {
            "lms": {"teacher": M},
            "adapter": {"class": "dspy.TwoStepAdapter", "extraction_model": "techer"},
        },
        "adapter.extraction_model",
        "adapter.extraction_model: is not a role of [prod.lms]",
        'did you mean "teacher"?',
        4,
    ),
    "a table where a role is due": (
        {"adapter": {"class": "dspy.TwoStepAdapter", "extraction_model": M}},
        "adapter.extraction_model",
        "adapter.extraction_model: expected the name of a role under lms, got a table",
        None,
        3,
    ),
    "a provider without a class": (
        {"provider": {"api_base": "x"}},
        "provider.class",
        "provider.class: is missing",
        "an import path (pkg.mod.Class) or a short name such as mock",
        2,
    ),
    "an unknown section": (
        {"settigns": {"num_threads": 3}},
        "settigns",
        "settigns: unknown section",
        'did you mean "settings"?',
        2,
    ),
    "a description that is a list": (
        {"description": ["a"]},
        "description",
        "description: expected a string, got a list",
        None,
        2,
    ),
    "a parent that is a number": (
        {"extends": 3},
        "extends",
        "extends: expected a string or a list, each a string, got the number 3",
        None,
        2,
    ),
    "a number in the environment": (
        {"env": {"LITELLM_LOG": 1}},
        "env.LITELLM_LOG",
        "env.LITELLM_LOG: expected a string, got the number 1",
        "put it in quotes",
        2,
    ),
    "a boolean in the environment": (
        {"env": {"LITELLM_LOCAL": True}},
        "env.LITELLM_LOCAL",
        "env.LITELLM_LOCAL: expected a string, got the boolean true",
        "put it in quotes",
        2,
    ),
    "a name that no variable can have": (
        {"env": {"A=B": "x"}},
        'env."A=B"',
        'env."A=B": is not a valid name of an environment variable',
        None,
        2,
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_fault_is_named_with_its_key_and_place(installed: Any, profile: Any, case: Any) -> None:
    values, key, message, hint, line = ERRORS[case]
    (finding,) = check(profile(values), installed)
    assert finding.message == message
    assert finding.severity == "error"
    assert finding.hint == hint
    assert finding.where == Place(Path("profiles.toml"), line)
    assert finding.message.startswith(key)
    assert ".".join(finding.key) == key.replace('"', "")


def test_slips_are_marked(installed: Any, profile: Any) -> None:
    slips = {
        name: finding.near_miss
        for name in ERRORS
        for finding in check(profile(ERRORS[name][0]), installed)
    }
    assert {name for name, near_miss in slips.items() if near_miss} == {
        "letters swapped",
        "a letter left out",
        "another way of writing",
        "a letter wrong in what the mock takes",
        "a slip in what is passed on",
        "a slip in a role",
        "a slip in the embedder",
        "an unknown setting",
        "an unknown key of ColBERTv2",
    }


GOOD = {
    "empty": {},
    "whole": {
        "extends": ["base", "other"],
        "description": "paid",
        "lm": M
        | {
            "temperature": 1,
            "max_tokens": 100,
            "api_key": "${OPENAI_API_KEY}",
            "api_base": "http://localhost:1/v1",
            "top_p": 0.5,
            "stop": ["a"],
            "seed": 3,
            "extra_headers": {"x": "y"},
            "timeout": 2.5,
            "n": 2,
            "logprobs": True,
            "top_logprobs": 5,
            "reasoning_effort": "low",
            "rollout_id": 1,
            "response_format": {"type": "json_object"},
            "callbacks": ["pkg.mod:Callback"],
            "engine": "litellm",
        },
        "rm": {"url": "http://localhost", "port": 80},
        "adapter": {"class": "dspy.JSONAdapter", "callbacks": []},
        "settings": {"num_threads": 2, "callbacks": ["a.b"], "interpreter_factory": "a.b:c"},
        "lms": {"teacher": M},
        "embedder": M | {"dimensions": 12, "batch_size": 3},
        "env": {"A": "b"},
    },
    "references wherever something is due": {
        "lm": {
            "model": "${MODEL}",
            "temperature": "${T}",
            "max_tokens": "env:N",
            "cache": "file:/run/x",
            "model_type": "${KIND:-chat}",
            "callbacks": ["${CALLBACK}"],
        },
        "settings": {"num_threads": "${N}"},
    },
    "a short provider": {"lm": {}, "provider": {"class": "mock", "answers": {"a": 1}}},
    "a role": {
        "lms": {"x": M},
        "adapter": {"class": "dspy.TwoStepAdapter", "extraction_model": "x"},
    },
    "the path of the defining module": {
        "adapter": {"class": "dspy.adapters.baml_adapter:BAMLAdapter"}
    },
    "a class by another road": {"adapter": {"class": "dspy.adapters.JSONAdapter"}},
    "a retriever with other keys": {"rm": {"class": "dspy.Retrieve", "k": 3}},
}


@pytest.mark.parametrize("case", GOOD)
def test_a_good_profile_has_no_findings(installed: Any, profile: Any, case: Any) -> None:
    assert check(profile(GOOD[case]), installed) == []


def test_live_objects_from_python_pass(installed: Any, profile: Any) -> None:
    values = {"lm": M | {"callbacks": [object()], "provider": object(), "temperature": None}}
    assert check(profile(values), installed) == []


@pytest.mark.parametrize(
    ("values", "message", "hint"),
    [
        (
            {"lm": M | {"my_gateway_flag": 1}},
            'lm.my_gateway_flag: dspy.LM has no parameter "my_gateway_flag"',
            "dspy.LM forwards it unchecked",
        ),
        (
            {"lm": M | {"num_retry": 1}},
            'lm.num_retry: dspy.LM has no parameter "num_retry"',
            'did you mean "num_retries"?',
        ),
        (
            {"provider": {"class": "no_such_package.Provider"}},
            "provider.class: no_such_package is not installed",
            "install it, or run in its folder",
        ),
    ],
)
def test_what_may_be_meant_is_a_warning(
    installed: Any, profile: Any, values: Any, message: Any, hint: Any
) -> None:
    (finding,) = check(profile(values), installed)
    assert (finding.severity, finding.message) == ("warning", message)
    assert finding.hint == hint
    assert not finding.near_miss


@pytest.mark.parametrize(
    "values",
    [
        {"lm": M | {"api_key": [SECRET]}},
        {"lm": M | {"headers": {"Authorization": 5}, "api_key": {"x": SECRET}}},
        {"lm": M | {"aws_session_token": 123456789}},
        {"lm": M | {"temperature": SECRET}},
        {"lm": M | {"model_type": SECRET}},
        {"env": {"OPENAI_API_KEY": 123456789}},
        {"settings": {"api_key": SECRET}},
        {"lm": M | {"extra_headers": SECRET * 3}},
        {"adapter": {"class": "dspy.JSONAdapter", "my_secret": SECRET}},
    ],
)
def test_a_secret_is_never_repeated(installed: Any, profile: Any, values: Any) -> None:
    findings = check(profile(values), installed)
    assert findings
    for finding in findings:
        text = f"{finding.message} {finding.hint}"
        assert SECRET not in text
        assert "123456789" not in text


def test_a_class_of_the_working_directory_is_checked_without_running_it(
    installed: Any, profile: Any, files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = files(
        {
            "mine.py": "raise SystemExit('run')\nfrom dspy import ChatAdapter\n"
            "class Mine(ChatAdapter):\n    def __init__(self, tone: int): ...\n"
        }
    )
    monkeypatch.chdir(folder)
    values = {"adapter": {"class": "mine.Mine", "tone": "dry", "loud": True}}
    tone, loud = check(profile(values), installed)
    assert tone.message == 'adapter.tone: expected a whole number, got the string "dry"'
    assert loud.message == 'adapter.loud: mine.Mine has no parameter "loud"'
    assert check(profile({"adapter": {"class": "mine.Mine", "tone": 2}}), installed) == []
    (missing,) = check(profile({"adapter": {"class": "mine.Mine"}}), installed)
    assert missing.message == "adapter.tone: is missing: mine.Mine needs it"


def test_a_provider_that_is_an_lm_is_given_the_lm_section(
    installed: Any, profile: Any, files: Any
) -> None:
    folder = files(
        {
            "mine.py": "import dspy\nclass Mine(dspy.BaseLM):\n"
            "    def __init__(self, model: str, region: str, speed: int = 1): ...\n"
        }
    )
    values: dict[str, Any]
    values = {"lm": M | {"speed": "fast"}, "provider": {"class": "mine.Mine", "region": "eu"}}
    (finding,) = check(profile(values), installed, search=[folder])
    assert finding.message == 'lm.speed: expected a whole number, got the string "fast"'
    values = {"lms": {"t": {"speed": "x"}}, "provider": {"class": "mine:Mine", "region": "eu"}}
    (role, *_) = check(profile(values), installed, search=[folder])
    assert role.message == 'lms.t.speed: expected a whole number, got the string "x"'
    (finding,) = check(
        profile({"lm": M, "provider": {"class": "mine.Mine"}}), installed, search=[folder]
    )
    assert finding.message == "provider.region: is missing: mine.Mine needs it"


def test_a_class_that_cannot_be_read_is_not_second_guessed(
    installed: Any, profile: Any, files: Any
) -> None:
    folder = files({"mine.py": "Mine = type('Mine', (), {})\n", "bad.py": "class X(:\n"})
    for name in ("mine.Mine", "bad.X"):
        for section in ("adapter", "rm", "provider"):
            values = {section: {"class": name, "anything": object, "goes": 1}}
            assert check(profile(values), installed, search=[folder]) == []


def test_a_deprecated_class_and_parameter_are_named(
    installed: Any, profile: Any, files: Any
) -> None:
    folder = files(
        {
            "mine.py": "import dspy\nfrom warnings import deprecated\n@deprecated('use New')\n"
            "class Old(dspy.Adapter):\n    def __init__(self, a=1):\n"
            "        '''Args:\n            a: Deprecated, say b.\n        '''\n"
        }
    )
    findings = check(
        profile({"adapter": {"class": "mine.Old", "a": 1}}), installed, search=[folder]
    )
    assert [(f.severity, f.message) for f in findings] == [
        ("warning", "adapter.class: mine.Old is deprecated: use New"),
        ("warning", "adapter.a: is deprecated: Deprecated, say b."),
    ]


def test_without_dspy_only_our_own_shape_is_checked(profile: Any, tmp_path: Path) -> None:
    nothing = describe(tmp_path)
    values = {"lm": M | {"anything": 1, "temprature": 2}, "settings": {"what": 1}, "nope": {}}
    findings = check(profile(values), nothing)
    assert findings[0].severity == "warning"
    assert findings[0].message.endswith("DSPy is not installed")
    assert [f.message for f in findings if f.severity == "error"] == ["nope: unknown section"]


def test_every_fault_is_found_at_once(installed: Any, profile: Any) -> None:
    values = {
        "lm": {"temperature": "hot", "modle": "x"},
        "settings": {"num_threads": "x", "zzz": 1},
        "env": {"A": 1},
    }
    found = [".".join(f.key) for f in check(profile(values), installed)]
    assert found == [
        "lm.temperature",
        "lm.modle",
        "lm.model",
        "settings.num_threads",
        "settings.zzz",
        "env.A",
    ]


def test_the_place_of_an_override_is_its_layer(installed: Any, profile: Any) -> None:
    from dspy_profiles.profiles import Origin

    made = profile({"lm": M | {"temperature": "x"}})
    made.sources[("lm", "temperature")] = Origin(None, None, "override", "prod")
    (finding,) = check(made, installed)
    assert finding.where == "override"


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ({"kind": "any"}, object(), None),
        ({"kind": "number"}, 3, None),
        ({"kind": "number"}, float("inf"), None),
        ({"kind": "integer"}, 10**30, None),
        ({"kind": "null"}, None, None),
        ({"kind": "string"}, None, "expected a string, got nothing"),
        ({"kind": "literal", "values": [1]}, True, "expected 1, got the boolean true"),
        ({"kind": "list", "items": {"kind": "any"}}, (1, "a"), None),
        (
            {"kind": "table", "values": {"kind": "integer"}},
            {"a": 1, "b": "x"},
            '"b": expected a whole number, got the string "x"',
        ),
        (
            {"kind": "table", "values": {"kind": "integer"}},
            {"api_key": "x"},
            '"api_key": expected a whole number, got a string',
        ),
        (
            {"kind": "list", "items": {"kind": "list", "items": {"kind": "string"}}},
            [["a"], [1]],
            "item 2: item 1: expected a string, got the number 1",
        ),
        ({"kind": "class", "of": {"kind": "any"}}, "a.b", None),
        ({"kind": "boolean"}, "x\ny", "expected true or false, got a string"),
    ],
)
def test_check_value_says_what_is_wrong(kind: Any, value: Any, said: Any) -> None:
    assert check_value(kind, value) == said


@pytest.mark.parametrize(
    ("section", "key", "meant"),
    [
        ("lm", "modle", "model"),
        ("lm", "api-base", "api_base"),
        ("lms.teacher", "temperatur", "temperature"),
        ("embedder", "cachng", "caching"),
        ("settings", "max_erors", "max_errors"),
        ("rm", "ulr", None),
        ("rm", "post_request", "post_requests"),
        ("adapter", "callback", "callbacks"),
        ("", "lmm", None),
        ("", "setings", "settings"),
        ("lm", "top_k", "top_k"),
        ("lm", "completely_different", None),
    ],
)
def test_a_near_miss_is_the_key_that_was_meant(
    installed: Any, section: Any, key: Any, meant: Any
) -> None:
    assert near_miss(key, known_keys(section, installed)) == meant


def test_known_keys_are_what_completion_offers(installed: Any) -> None:
    assert {"lm", "rm", "settings", "env"} <= set(known_keys("", installed))
    assert {"model", "temperature", "api_key", "top_p"} <= set(known_keys("lm", installed))
    assert known_keys("lms.teacher", installed) == known_keys("lm", installed)
    assert {"class", "url", "port"} <= set(known_keys("rm", installed))
    assert "kwargs" not in known_keys("lm", installed)
    assert not {"lm", "trace"} & set(known_keys("settings", installed))
    assert known_keys("env", installed) == []
