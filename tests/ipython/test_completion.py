"""Tab behind the magics: what is meant, and nothing else."""

import re
from threading import Event
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from dspy_profiles.results import open_store, record
from dspy_profiles_ipython import _arguments as parsers
from dspy_profiles_ipython import _completion as completion


@pytest.fixture
def offered(shell: Any) -> Any:
    """What Tab offers behind a text, as the kernel and the terminal ask for it."""

    def asked(text: str) -> list[str]:
        with provisionalcompleter():
            found = list(shell.ip.Completer.completions(text, len(text)))
        texts = [text[: each.start] + each.text for each in found]
        return [each.rpartition("\n")[2] for each in texts]

    return asked


NAMES = ["base", "dev", "keyless", "prod", '"two words"', "mock"]


@pytest.mark.parametrize("magic", ["%dspy_profile", "%%dspy_profile", "dspy_profile"])
def test_names_complete_and_nothing_else(offered: Any, magic: Any) -> None:
    assert offered(f"{magic} ") == [f"{magic} {name}" for name in NAMES]
    assert offered(f"{magic} pr") == [f"{magic} prod"]
    assert offered(f"{magic} pro") == [f"{magic} prod"]


def test_a_name_with_spaces_completes_in_quotes(offered: Any) -> None:
    assert offered("%dspy_profile tw") == ['%dspy_profile "two words"']
    assert offered('%dspy_profile "tw') == ['%dspy_profile "two words"']
    assert offered('%dspy_profile "two w') == ['%dspy_profile "two words"']


def test_options_complete(offered: Any) -> None:
    assert offered("%dspy_profile --") == [
        f"%dspy_profile {option}" for option in ("--list", "--off", "--set", "--show")
    ]
    assert offered("%dspy_profile dev --s") == [
        "%dspy_profile dev --set",
        "%dspy_profile dev --show",
    ]
    assert offered("%%dspy_profile --") == [
        f"%%dspy_profile {option}" for option in ("--cassette", "--cassettes", "--set")
    ]


def test_keys_complete_behind_set(offered: Any) -> None:
    assert offered("%dspy_profile dev --set lm.temp") == ["%dspy_profile dev --set lm.temperature="]
    assert offered("%dspy_profile --set=lm.temp") == ["%dspy_profile --set=lm.temperature="]
    assert "%dspy_profile dev --set settings.num_threads=" in offered("%dspy_profile dev --set ")
    assert not [each for each in offered("%dspy_profile dev --set ") if "extends" in each]


@pytest.mark.parametrize(
    "text",
    [
        "%dspy_profile zzz",
        "%dspy_profile dev ",
        "%dspy_profile dev pr",
        "%dspy_profile --list ",
        "%dspy_profile --off d",
        "%dspy_profile dev --set lm.temperature=",
        "%dspy_profile dev --set lm.temperature=0 ",
        "%dspy_profile --zzz",
        "%%dspy_profile --l",
    ],
)
def test_where_nothing_is_meant_nothing_is_offered(offered: Any, shell: Any, text: Any) -> None:
    shell("dev_variable = pr_variable = zzz_variable = 1")
    assert offered(text) == []


def test_cassettes_and_their_modes_complete_behind_a_cell_magic(offered: Any, write: Any) -> None:
    for name in ("one.jsonl", "one.txt", "two words.jsonl", "tapes/deep.jsonl", ".hidden/x.jsonl"):
        write(name, "")
    cell = "%%dspy_profile dev --cassette"
    assert offered(f"{cell} ") == [
        f"{cell} {name}" for name in ("tapes/", "one.jsonl", '"two words.jsonl"')
    ]
    assert offered(f"{cell} o") == [f"{cell} one.jsonl"]
    assert offered(f"{cell} tapes/") == [f"{cell} tapes/deep.jsonl"]
    assert offered(f"{cell}=tapes/d") == [f"{cell}=tapes/deep.jsonl"]
    assert offered(f"{cell} nowhere/") == []
    assert offered(f"{cell} one.jsonl --cassettes o") == [
        f"{cell} one.jsonl --cassettes {mode}" for mode in ("off", "once")
    ]
    assert offered("%%dspy_profile --cassette one.jsonl pr") == [
        "%%dspy_profile --cassette one.jsonl prod"
    ]


@pytest.fixture
def kept(shell: Any) -> Any:
    """The ids of three experiments, latest first; two have one name, one has three trials."""
    shell("import dspy\nask = dspy.Predict('question -> answer')")
    for name in ("twice", "twice", "my tune"):
        asked = "[ask(question=str(n)) for n in range(3)];" if name == "my tune" else "1;"
        shell(f'%%dspy_record "{name}"\n%%dspy_profile mock\n{asked}')
    with open_store() as store:
        return [each.id for each in store.query_experiments()]


@pytest.mark.parametrize("magic", sorted(completion.OPTIONS))
def test_options_of_the_magics_about_results_complete(offered: Any, magic: Any) -> None:
    line = "%%dspy_record x" if magic == "record" else f"%dspy_{magic}"
    options = re.findall(r"(--\w+)", getattr(parsers, f"{magic}_parser")().format_usage())
    assert offered(f"{line} --") == [f"{line} {option}" for option in sorted(options)]
    assert offered(f"{line} --st")[-1] == f"{line} --store"


def test_statuses_and_profiles_complete_behind_their_options(offered: Any) -> None:
    assert offered("%dspy_results --status ") == [
        f"%dspy_results --status {status}"
        for status in ("running", "done", "failed", "interrupted", "skipped")
    ]
    assert offered("%dspy_results word --status=f") == ["%dspy_results word --status=failed"]
    assert offered("dspy_results --profile pr") == ["dspy_results --profile prod"]


def test_experiments_complete_by_name_and_id_and_then_the_numbers_of_trials(
    offered: Any, kept: Any
) -> None:
    names = ["latest", '"my tune"', *kept]
    assert offered("%dspy_trace ") == [f"%dspy_trace {name}" for name in names]
    assert offered("%dspy_trace la") == ["%dspy_trace latest"]
    assert offered(f"%dspy_trace --full {kept[0][:-2]}")[0].endswith(kept[0])
    for named in ("latest", '"my tune"', kept[0]):
        line = f"%dspy_trace {named}"
        assert offered(f"{line} ") == [f"{line} {number}" for number in (1, 2, 3)]
        assert offered(f"{line} 2 ") == []
    with record("elsewhere", store="file:other"):
        pass
    assert "%dspy_trace --store file:other elsewhere" in offered("%dspy_trace --store file:other e")


@pytest.mark.parametrize(
    "text",
    [
        "%dspy_results ",
        "%dspy_results --limit ",
        "%dspy_results --profile prod pr",
        "%dspy_results --zzz",
        "%%dspy_record ",
        "%%dspy_record x ",
        "%%dspy_record x --as ",
        "%%dspy_record --hypothesis pr",
        "%dspy_trace ",
        "%dspy_trace nobody ",
        "%dspy_trace --html ",
        "%dspy_trace --store nonsense: ",
    ],
)
def test_where_nothing_is_meant_behind_them_nothing_is_offered(
    offered: Any, shell: Any, text: Any
) -> None:
    shell("dev_variable = pr_variable = zzz_variable = 1")
    assert offered(text) == []


def test_a_store_that_cannot_be_read_offers_nothing_and_says_nothing(
    offered: Any, project: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "results.db").write_text("this is no database")
    assert offered("%dspy_trace --store sqlite:results.db ") == []
    assert capfd.readouterr() == ("", "")


def test_a_store_that_does_not_answer_in_time_offers_nothing(
    offered: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_go = Event(), Event()

    def waiting(url: str | None) -> list[str]:
        asked.set()
        may_go.wait()
        return ["too late"]

    monkeypatch.setattr(completion, "_experiments", waiting)
    monkeypatch.setattr(completion, "PATIENCE", 0)
    assert offered("%dspy_trace ") == []
    assert asked.wait(60)
    may_go.set()


def test_a_mark_that_makes_no_magic_is_left_to_ipython(offered: Any, kept: Any) -> None:
    assert offered("dspy_record --") != [f"dspy_record {o}" for o in completion.OPTIONS["record"]]
    assert "%%dspy_trace latest" not in offered("%%dspy_trace la")


def test_keys_complete_again_behind_a_second_set(offered: Any) -> None:
    text = "%dspy_profile dev --set lm.temperature=0 --set lm.mod"
    assert f"{text}el=" in offered(text)


def test_elsewhere_completion_is_ipythons_own(offered: Any, shell: Any) -> None:
    shell("some_variable = 1")
    assert "some_variable" in offered("some_var")
    assert "x = some_variable" in offered("%%dspy_profile dev\nx = some_var")
    assert "%dspy_profile" in offered("%dspy_p")


def test_a_variable_of_that_name_is_no_magic(offered: Any, shell: Any) -> None:
    shell("dspy_profile = 1")
    assert "dspy_profile dev" not in offered("dspy_profile de")


def test_in_the_first_line_of_a_cell_with_more_lines(shell: Any) -> None:
    text = "%%dspy_profile pr\nx = 1"
    with provisionalcompleter():
        found = list(shell.ip.Completer.completions(text, len("%%dspy_profile pr")))
    assert [each.text for each in found] == ["prod"]


def test_a_broken_file_offers_nothing_and_says_nothing(
    offered: Any, profiles: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    profiles.write_text("[dev\n")
    assert offered("%dspy_profile de") == []
    assert capfd.readouterr() == ("", "")


def test_a_new_profile_is_offered(offered: Any, profiles: Any) -> None:
    profiles.write_text('[fresh.provider]\nclass = "mock"\n')
    assert offered("%dspy_profile fr") == ["%dspy_profile fresh"]
