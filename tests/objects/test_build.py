"""From a resolved profile to live objects."""

import os
import re
import subprocess
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

import dspy
import pytest

from dspy_profiles import ProfileError, embedder, lm, profile, resolve
from dspy_profiles.errors import InvalidProfile, MissingSecret, ProviderError
from dspy_profiles.objects import _build as build

pytestmark = pytest.mark.usefixtures("clean_dspy")


@pytest.fixture
def profiles(write: Any, project: Path) -> Any:
    """Writes the profiles file of the project."""
    return lambda text: write(project / "profiles.toml", text)


def test_every_section_becomes_what_it_says(profiles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-real-thing")
    profiles("""
        [p.lm]
        model = "openai/gpt-4o-mini"
        temperature = 0.2
        api_key = "${SOME_API_KEY}"
        extra_headers = { Authorization = "Bearer ${SOME_API_KEY}" }
        [p.rm]
        url = "http://localhost:8893/api/search"
        [p.adapter]
        class = "dspy.JSONAdapter"
        use_native_function_calling = false
        [p.settings]
        num_threads = 3
        track_usage = true
    """)
    with profile("p"):
        made = dspy.settings.lm
        assert made.kwargs["temperature"] == 0.2
        assert made.kwargs["api_key"] == "sk-real-thing"
        assert made.kwargs["extra_headers"] == {"Authorization": "Bearer sk-real-thing"}
        assert type(dspy.settings.rm) is dspy.ColBERTv2
        assert dspy.settings.rm.url == "http://localhost:8893/api/search"
        assert type(dspy.settings.adapter) is dspy.JSONAdapter
        assert dspy.settings.adapter.use_native_function_calling is False
        assert (dspy.settings.num_threads, dspy.settings.track_usage) == (3, True)
    assert dspy.settings.lm is dspy.settings.rm is dspy.settings.adapter is None


def test_what_is_left_out_is_left_alone(profiles: Any) -> None:
    profiles("[p.settings]\nnum_threads = 3\n[q]\n")
    mine = dspy.LM("openai/mine")
    dspy.configure(lm=mine)
    for name in ("p", "q"):
        with profile(name):
            assert dspy.settings.lm is mine
            assert dspy.settings.adapter is None


def test_a_reference_becomes_a_number_where_a_number_is_due(
    profiles: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"T": "0.5", "N": " 7 ", "B": "true", "P": "0.9", "M": "123"}.items():
        monkeypatch.setenv(name, value)
    profiles("""
        [p.lm]
        model = "${M}"
        temperature = "${T}"
        max_tokens = "${N}"
        cache = "${B}"
        top_p = "${P}"
        [p.settings]
        num_threads = "${N}"
        track_usage = "${B}"
        [p.adapter]
        class = "dspy.ChatAdapter"
        use_json_adapter_fallback = "${FALSE:-false}"
    """)
    with profile("p"):
        made = dspy.settings.lm
        assert (made.model, made.cache) == ("123", True)
        assert made.kwargs == {"temperature": 0.5, "max_tokens": 7, "top_p": 0.9}
        assert (dspy.settings.num_threads, dspy.settings.track_usage) == (7, True)
        assert dspy.settings.adapter.use_json_adapter_fallback is False


def test_a_reference_that_gives_no_number_is_told_without_its_value(
    profiles: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T", "hot-and-secret")
    profiles('[p.lm]\nmodel = "x/y"\ntemperature = "${T}"\n')
    with pytest.raises(
        InvalidProfile, match=r"lm.temperature .* number[\s\S]*profiles.toml:3"
    ) as e:
        lm("p")
    assert "hot-and-secret" not in str(e.value)


def test_lms_are_the_same_objects_while_nothing_changes(profiles: Any) -> None:
    profiles('[p.lm]\nmodel = "openai/x"\n[q]\nextends = "p"\n')
    first = lm("p")
    assert lm("p") is first
    assert lm("p", extra_headers={}) is lm("p", extra_headers={})
    assert lm("p", extra_headers={}) is not first
    assert lm("q") is not first  # another profile's history is its own
    with profile("p"):
        assert dspy.settings.lm is first
        assert lm() is first
    with profile("p", settings={"num_threads": 2}):
        assert dspy.settings.lm is first
    assert lm("p", temperature=0).kwargs["temperature"] == 0
    assert lm("p", temperature=0.0) is not lm("p", temperature=0)


def test_lms_of_two_files_are_two(write: Any, project: Path) -> None:
    for name in ("a", "b"):
        write(project / name / "profiles.toml", '[p.lm]\nmodel = "openai/x"\n')
    os.chdir(project / "a")
    first = lm("p")
    os.chdir(project / "b")
    assert lm("p") is not first
    os.chdir(project / "a")
    assert lm("p") is first


def test_roles_are_lms_of_their_own(profiles: Any) -> None:
    profiles("""
        [p.lm]
        model = "openai/student"
        [p.lms.teacher]
        model = "openai/teacher"
        [p.lms.locked]
        model = "openai/locked"
        api_key = "${NOT_THERE}"
    """)
    assert lm("p", role="teacher").model == "openai/teacher"
    assert lm("p", "teacher", temperature=1).kwargs["temperature"] == 1
    with profile("p"):
        assert lm(role="teacher") is lm("p", role="teacher")
    with pytest.raises(MissingSecret, match="lms.locked.api_key"):
        lm("p", role="locked")
    with pytest.raises(InvalidProfile, match=r'role "teecher"[\s\S]*did you mean "teacher"'):
        lm("p", role="teecher")


def test_lm_without_a_name_is_that_of_the_active_profile_with_its_overrides(profiles: Any) -> None:
    profiles('[p.lm]\nmodel = "openai/x"\n')
    with profile("p", lm={"temperature": 0.3}):
        assert lm() is dspy.settings.lm
        changed = lm(max_tokens=5)
        assert changed.kwargs == {"temperature": 0.3, "max_tokens": 5}


def test_the_embedder_of_a_profile(profiles: Any) -> None:
    profiles('[p.embedder]\nmodel = "openai/emb"\nbatch_size = 7\n[q]\n')
    made = embedder("p")
    assert (made.model, made.batch_size) == ("openai/emb", 7)
    assert embedder("p") is made
    with profile("p"):
        assert embedder() is made
        assert embedder(batch_size=9).batch_size == 9
    with pytest.raises(InvalidProfile, match="no embedder"):
        embedder("q")


def test_a_two_step_adapter_gets_an_lm_by_its_role_or_the_profiles_own(profiles: Any) -> None:
    profiles("""
        [p.lm]
        model = "openai/main"
        [p.lms.small]
        model = "openai/small"
        [p.adapter]
        class = "dspy.TwoStepAdapter"
        extraction_model = "small"
        [q]
        extends = "p"
        [q.adapter]
        class = "dspy.TwoStepAdapter"
        [r.lm]
        model = "openai/r"
        [r.adapter]
        class = "dspy.TwoStepAdapter"
    """)
    with profile("p"):
        assert dspy.settings.adapter.extraction_model is lm(role="small")
    with profile("r"):
        assert dspy.settings.adapter.extraction_model is dspy.settings.lm


def test_callbacks_in_a_file_are_import_paths(profiles: Any, write: Any, project: Path) -> None:
    write(
        project / "my_callbacks.py",
        """
        from dspy.utils.callback import BaseCallback

        class Mine(BaseCallback):
            pass

        made = Mine()
        """,
    )
    profiles("""
        [p.settings]
        callbacks = ["my_callbacks.Mine", "my_callbacks:made"]
    """)
    with profile("p"):
        assert [type(c).__name__ for c in dspy.settings.callbacks] == ["Mine", "Mine"]


def test_env_is_set_once_and_never_undone(profiles: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERE_BEFORE", "mine")
    profiles("""
        [p.env]
        NEW_ONE = "from p"
        THERE_BEFORE = "from p"
        [q.env]
        NEW_ONE = "from q"
    """)
    with profile("p"):
        assert os.environ["NEW_ONE"] == "from p"
    assert os.environ["NEW_ONE"] == "from p"
    assert os.environ["THERE_BEFORE"] == "mine"
    with (
        pytest.warns(UserWarning, match='"q" sets NEW_ONE to another value'),
        profile("q"),
    ):
        assert os.environ["NEW_ONE"] == "from p"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with profile("p"):
            pass


def test_env_is_set_before_dspy_is_imported(profiles: Any, project: Path) -> None:
    profiles(f'[p.env]\nDSPY_CACHEDIR = "{project / "cache"}"\n')
    code = (
        "from dspy_profiles import profile\n"
        "with profile('p'):\n"
        "    import dspy; dspy.cache\n"
        "    import os; print(os.path.isdir(os.environ['DSPY_CACHEDIR']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


BAD = {
    "near miss": ('[p.lm]\nmodle = "x/y"\nmodel = "x/y"\n', 'did you mean "model"', 2),
    "wrong type": ('[p.lm]\nmodel = "x/y"\ntemperature = "hot"\n', "expected a number", 3),
    "bad mock": (
        '[p.provider]\nclass = "mock"\nfailure = "no"\n',
        "unknown failure of the mock",
        1,
    ),
    "no model": ("[p.lm]\ntemperature = 0\n", "lm.model: is missing", 1),
    "reasoning model": (
        '[p.lm]\nmodel = "openai/o3"\ntemperature = 0.1\n',
        "LMConfigurationError",
        1,
    ),
    "unknown setting": ("[p.settings]\nnum_thread = 1\n", 'did you mean "num_threads"', 2),
    "cache_dir": ('[p.settings]\ncache_dir = "x"\n', "DSPY_CACHEDIR", 2),
    "lm in settings": ('[p.settings]\nlm = "openai/x"\n', "[p.lm]", 2),
    "adapter without class": ("[p.adapter]\nx = 1\n", "class: is missing", 1),
    "adapter that is not there": (
        '[p.adapter]\nclass = "dspy.JSONAdaptor"\n',
        '"dspy.JSONAdapter"',
        2,
    ),
    "adapter with a wrong key": (
        '[p.adapter]\nclass = "dspy.JSONAdapter"\nuse_native = true\n',
        'no parameter "use_native"',
        3,
    ),
    "adapter of no module": ('[p.adapter]\nclass = "no.such.thing"\n', 'module "no" not found', 2),
    "adapter that is no path": ('[p.adapter]\nclass = "my class"\n', "not an import path", 2),
    "adapter that is no class": ('[p.adapter]\nclass = "dspy.__version__"\n', "not a class", 2),
    "rm with a wrong key": ('[p.rm]\nulr = "x"\n', 'did you mean "url"', 2),
    "provider without class": ("[p.provider]\nx = 1\n", "class: is missing", 1),
    "provider of no such name": ('[p.provider]\nclass = "mokc"\n', 'did you mean "mock"', 2),
    "provider of no kind": (
        '[p.provider]\nclass = "json.JSONDecoder"\n',
        "expected a dspy.BaseLM",
        2,
    ),
    "mock with a wrong key": ('[p.provider]\nclass = "mock"\nanswer = 1\n', '"answers"', 3),
    "callback of no module": (
        '[p.settings]\ncallbacks = ["no.such.Thing"]\n',
        'module "no" not found',
        2,
    ),
}


@pytest.mark.parametrize(("text", "said", "line"), BAD.values(), ids=BAD)
def test_what_cannot_be_built_is_told_with_its_place(
    text: str, said: str, line: int, profiles: Any, project: Path
) -> None:
    file = profiles(text) or project / "profiles.toml"
    before = dict(dspy.settings.config), (project / "profiles.toml").read_text()
    with pytest.raises(ProfileError) as error, profile("p"):
        pass
    assert said in str(error.value)
    assert f"{project / 'profiles.toml'}:{line}" in str(error.value)
    assert (dict(dspy.settings.config), (project / "profiles.toml").read_text()) == before
    assert file is not None


UNCHECKED = {
    "lm without model": ("[p.lm]\ntemperature = 1\n", "has no model"),
    "adapter without class": ("[p.adapter]\nx = 1\n", "has no class"),
    "provider without class": ("[p.provider]\nx = 1\n", 'class = "mock"'),
    "lm in settings": ('[p.settings]\nlm = "openai/x"\n', "belongs in its own section"),
    "unknown setting": ("[p.settings]\nnum_thread = 1\n", 'did you mean "num_threads"'),
    "cache_dir": ('[p.settings]\ncache_dir = "x"\n', "DSPY_CACHEDIR"),
}


@pytest.mark.parametrize(("text", "said"), UNCHECKED.values(), ids=UNCHECKED)
def test_what_nobody_has_checked_is_refused_when_it_is_built(
    text: str, said: str, profiles: Any
) -> None:
    profiles(text)
    with pytest.raises(InvalidProfile, match=re.escape(said)):
        build.build(resolve("p"))


CANARY = "canary-6f1e-secret"


def test_a_constructor_that_shouts_a_secret_is_told_without_it(
    profiles: Any, write: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", CANARY)
    write(
        project / "shouting.py",
        "class Engine:\n"
        "    def __init__(self, api_key): raise ValueError('bad key ' + api_key)\n"
        "    def complete(self, request): ...\n",
    )
    profiles('[p.provider]\nclass = "shouting.Engine"\napi_key = "${MY_API_KEY}"\n')
    with pytest.raises(ProviderError) as error:
        lm("p")
    assert "bad key ${MY_API_KEY}" in str(error.value)
    assert error.value.__cause__ is None
    trace = error.tb
    while trace is not None:
        if "dspy_profiles" in trace.tb_frame.f_code.co_filename:
            assert CANARY not in repr(trace.tb_frame.f_locals)
        trace = trace.tb_next  # type: ignore[assignment]


def test_errors_of_user_code_that_hold_no_secret_stay_as_the_cause(
    profiles: Any, write: Any, project: Path
) -> None:
    write(project / "broken_module.py", "1 / 0\n")
    profiles('[p.provider]\nclass = "broken_module.Engine"\n')
    with pytest.raises(ProviderError, match="ZeroDivisionError") as error:
        lm("p")
    assert isinstance(error.value.__cause__, ZeroDivisionError)


def test_all_that_is_missing_is_told_at_once_whatever_section_needs_it(profiles: Any) -> None:
    profiles("""
        [p.env]
        X = "${ONE}"
        [p.lm]
        model = "openai/gpt-4o"
        api_key = "${TWO}"
        [p.rm]
        url = "${THREE}"
        [p.lms.judge]
        model = "${OF_A_ROLE}"
    """)
    with pytest.raises(MissingSecret) as error, profile("p"):
        pass
    assert all(f"{name} is not set" in str(error.value) for name in ("ONE", "TWO", "THREE"))
    assert "OF_A_ROLE" not in str(error.value)
    assert "X" not in os.environ


@pytest.mark.parametrize(
    "fail",
    [
        lambda key: profile("p", lm={"api_key": key}, rmm={}),
        lambda key: profile("nope", lm={"api_key": key}).__enter__(),
        lambda key: lm("nope", api_key=key),
        lambda key: lm("p", api_key=key, temperature="hot"),
        lambda key: embedder("nope", api_key=key),
    ],
    ids=["wrong override", "no such profile", "lm", "wrong argument", "embedder"],
)
def test_no_frame_of_an_error_shows_a_secret_that_code_handed_over(
    fail: Any, profiles: Any
) -> None:
    profiles('[p.lm]\nmodel = "openai/x"\n')
    with pytest.raises(ProfileError) as error:
        fail(CANARY)
    assert CANARY not in str(error.value)
    trace = error.tb
    while trace is not None:
        if "dspy_profiles" in trace.tb_frame.f_code.co_filename:
            assert CANARY not in repr(trace.tb_frame.f_locals), trace.tb_frame
        trace = trace.tb_next  # type: ignore[assignment]


def test_an_lm_that_somebody_holds_stays_the_same_however_many_others_are_made(
    profiles: Any,
) -> None:
    profiles('[p.lm]\nmodel = "openai/x"\n')
    held = lm("p")
    for seed in range(build.KEPT + 10):
        lm("p", seed=seed)
    assert lm("p") is held


def test_a_number_that_a_secret_file_gives_is_a_number(profiles: Any, project: Path) -> None:
    (project / "t.txt").write_text("0.5\n")
    profiles('[p.lm]\nmodel = "openai/x"\ntemperature = "file:t.txt"\n')
    assert lm("p").kwargs["temperature"] == 0.5


def test_the_note_and_the_causes_of_an_error_hide_a_secret_too(
    profiles: Any, write: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_API_KEY", CANARY)
    write(
        project / "noting.py",
        "class Engine:\n"
        "    def __init__(self, api_key):\n"
        "        error = ValueError('no')\n"
        "        error.add_note('tried ' + api_key)\n"
        "        raise error\n"
        "    def complete(self, request): ...\n",
    )
    profiles('[p.provider]\nclass = "noting.Engine"\napi_key = "${MY_API_KEY}"\n')
    with pytest.raises(ProviderError) as error:
        lm("p")
    assert CANARY not in "".join(traceback.format_exception(error.value))
