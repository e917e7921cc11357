"""An experiment goes from one store to another in one file, whole or not at all."""

import io
import json
import zipfile
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import dspy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dspy_profiles.errors import InvalidFile, StoreError
from dspy_profiles.results import ExperimentNotFound, Store, open_store, record
from dspy_profiles.results.export import export_bundle, import_bundle

NUMBERS = count()
LONG = "a long text " * 1000

Change = Callable[[dict[str, bytes], dict[str, Any]], None]


@pytest.fixture
def source(project: Path) -> Store:
    return open_store(f"file:{project / 'source'}")


@pytest.fixture
def experiment(source: Store, lm: Any, program: Any, examples: Any) -> str:
    """The id of one with everything: scores, decisions, a long text."""
    with record("a run", hypothesis="it works", store=source) as exp:
        dspy.Evaluate(devset=examples(3), metric=lambda *_: 0.5, num_threads=1)(program)
        exp.decision(strategy="wait", rationale=LONG)
        program(question=LONG)
    return exp.id


@pytest.fixture
def file(source: Store, experiment: str, project: Path) -> Path:
    """Its bundle."""
    return exported(source, experiment, project / "run.zip")


@pytest.fixture
def empty(memory: Store) -> Store:
    return memory


def exported(store: Store, experiment: str, to: Path) -> Path:
    with to.open("wb") as out:
        export_bundle(experiment, store, out)
    return to


def answers(store: Store, experiment: str) -> Any:
    """All that a store says of it."""
    found = store.get_experiment(experiment), store.query_trials(experiment)
    return *found, store.events(experiment), list(store.verify(experiment))


def unpacked(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as found:
        return {name: found.read(name) for name in found.namelist()}


def packed(files: dict[str, bytes], to: Path) -> Path:
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return to


def changed(file: Path, change: Change) -> Path:
    """The bundle with a change by hand that minds its manifest."""
    files = unpacked(file)
    manifest = json.loads(files.pop("manifest.json"))
    change(files, manifest)
    return packed(
        {"manifest.json": json.dumps(manifest).encode(), **files}, file.with_name("changed.zip")
    )


def told(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """Have the manifest say what is there now."""
    manifest["files"] = {
        name: {"size": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in files.items()
    }


def journal(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.startswith("journals/"))


def blob(files: dict[str, bytes]) -> str:
    return next(name for name in files if name.startswith("blobs/"))


class TestABundle:
    def test_is_the_same_each_time(self, source: Store, experiment: str, file: Path) -> None:
        again = exported(source, experiment, file.with_name("again.zip"))
        assert again.read_bytes() == file.read_bytes()

    def test_can_be_read_without_this_program(self, file: Path, experiment: str) -> None:
        files = unpacked(file)
        manifest = json.loads(files.pop("manifest.json"))
        assert (manifest["format"], manifest["v"]) == ("dspy-profiles experiment", 1)
        assert manifest["id"] == experiment
        assert {
            name: {"size": len(data), "sha256": sha256(data).hexdigest()}
            for name, data in files.items()
        } == manifest["files"]
        assert json.loads(files["experiment.json"])["hypothesis"] == "it works"
        assert len(files["trials.jsonl"].splitlines()) == 4
        assert files[blob(files)].decode() in LONG or LONG in files[blob(files)].decode()

    def test_is_not_made_of_an_experiment_that_goes_on(self, source: Store, lm: Any) -> None:
        with (
            record("a run", store=source) as exp,
            pytest.raises(StoreError, match="is not closed yet") as caught,
        ):
            export_bundle(exp.id, source, io.BytesIO())
        assert "results recover" in str(caught.value.hint)

    def test_is_not_made_of_one_that_is_not_there(self, source: Store) -> None:
        with pytest.raises(ExperimentNotFound):
            export_bundle("0" * 26, source, io.BytesIO())

    def test_is_not_made_of_what_was_tampered_with(
        self, source: Store, experiment: str, project: Path
    ) -> None:
        folder = project / "source" / "experiments" / experiment
        (file,) = folder.glob("journal-*.jsonl")
        file.chmod(0o644)
        file.write_bytes(file.read_bytes().replace(b"0.5", b"0.9"))
        with pytest.raises(StoreError, match="changed after the experiment") as caught:
            export_bundle(experiment, source, io.BytesIO())
        assert f"results verify {experiment}" in str(caught.value.hint)

    def test_is_not_made_where_a_long_text_is_gone(
        self, source: Store, experiment: str, project: Path
    ) -> None:
        for each in (project / "source" / "blobs").glob("*/*"):
            each.unlink()
        with pytest.raises(StoreError, match="a long text of the experiment .* is missing"):
            export_bundle(experiment, source, io.BytesIO())

    def test_is_not_made_of_what_nobody_would_take_in(
        self, source: Store, experiment: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("dspy_profiles.results.export._bundle_files.MOST_OF_ONE", 100)
        with pytest.raises(StoreError, match="too large for one file"):
            export_bundle(experiment, source, io.BytesIO())

    def test_leaves_out_what_came_after_the_experiment_was_closed(
        self, source: Store, experiment: str, project: Path, file: Path, empty: Store
    ) -> None:
        folder = project / "source" / "experiments" / experiment
        (first,) = folder.glob("journal-*.jsonl")
        (folder / "journal-99.jsonl").write_bytes(first.read_bytes())
        again = exported(source, experiment, file.with_name("again.zip"))
        assert again.read_bytes() == file.read_bytes()


class TestAnImport:
    def test_gives_the_same_answers_in_each_kind_of_store(
        self, source: Store, experiment: str, file: Path, store: Store
    ) -> None:
        done = import_bundle(file, store)
        assert (done.experiment.id, done.was_there) == (experiment, False)
        assert answers(store, experiment) == answers(source, experiment)
        assert [each.id for each in store.query_experiments(text="long")] == [experiment]
        back = exported(store, experiment, file.with_name("back.zip"))
        assert back.read_bytes() == file.read_bytes()
        assert store.rebuild() == 1
        assert answers(store, experiment) == answers(source, experiment)

    def test_that_is_done_twice_does_nothing_the_second_time(
        self, experiment: str, file: Path, store: Store
    ) -> None:
        import_bundle(file, store)
        before = answers(store, experiment)
        assert import_bundle(file, store).was_there
        assert answers(store, experiment) == before
        assert len(store.query_experiments()) == 1

    def test_stands_beside_what_is_there(
        self, source: Store, experiment: str, file: Path, empty: Store
    ) -> None:
        with record("another", store=empty) as other:
            other.decision(strategy="wait", rationale=LONG)
        before = answers(empty, other.id)
        import_bundle(file, empty)
        assert answers(empty, other.id) == before
        assert answers(empty, experiment) == answers(source, experiment)

    @pytest.mark.parametrize("left", ["journals", "seal"])
    def test_that_was_cut_short_is_brought_to_its_end(
        self, source: Store, experiment: str, file: Path, empty: Store, left: str
    ) -> None:
        storage = source.storage
        for name in storage.names(experiment):
            empty.storage.adopt(experiment, name, storage.lines(experiment, name))
        if left == "seal":
            for name, data in unpacked(file).items():
                if name.startswith("blobs/"):
                    empty.storage.keep(data)
            seal = storage.document(experiment, "seal.json")
            assert seal is not None
            empty.storage.put_first(experiment, "seal.json", seal)
        import_bundle(file, empty)
        assert answers(empty, experiment) == answers(source, experiment)
        assert empty.storage.document(experiment, "experiment.json") is not None

    def test_does_not_touch_another_experiment_of_the_same_id(
        self, source: Store, experiment: str, file: Path, empty: Store
    ) -> None:
        lines = [b'{"type":"experiment","started":"2026-11-21T12:00:00Z","name":"mine"}\n']
        empty.storage.adopt(experiment, "journal-0.jsonl", iter(lines))
        with pytest.raises(StoreError, match="has another experiment with the id"):
            import_bundle(file, empty)
        assert empty.get_experiment(experiment).name == "mine"

    def test_of_one_that_was_interrupted_keeps_it_so(
        self, source: Store, empty: Store, project: Path, program: Any
    ) -> None:
        with pytest.raises(KeyboardInterrupt), record("stopped", store=source) as exp:
            raise KeyboardInterrupt
        import_bundle(exported(source, exp.id, project / "stopped.zip"), empty)
        assert answers(empty, exp.id) == answers(source, exp.id)
        assert empty.get_experiment(exp.id).status == "interrupted"


def flip(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    name = journal(files)
    files[name] = files[name].replace(b"question 0", b"question 9", 1)


def flip_and_tell(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    flip(files, manifest)
    told(files, manifest)


def flip_and_seal(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """The hand knows of the seal as well, and forgets the summary."""
    flip(files, manifest)
    name = journal(files)
    seal = json.loads(files["seal.json"])
    data = files[name]
    seal["journals"][name.removeprefix("journals/")]["sha256"] = sha256(data).hexdigest()
    files["seal.json"] = json.dumps(seal).encode()
    told(files, manifest)


def add(name: str, *, is_told: bool = True) -> Change:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        files[name] = b"hello\n"
        if is_told:
            told(files, manifest)

    return change


def add_text(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    files[f"blobs/{sha256(b'smuggled').hexdigest()}"] = b"smuggled"
    told(files, manifest)


def change_text(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    files[blob(files)] = b"another text"
    told(files, manifest)


def without(find: Callable[[dict[str, bytes]], str], *, is_told: bool = True) -> Change:
    def change(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
        del files[find(files)]
        if is_told:
            told(files, manifest)

    return change


def says(**what: Any) -> Change:
    return lambda files, manifest: manifest.update(what)


def raise_score(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    files["experiment.json"] = files["experiment.json"].replace(b'"score": 0.5', b'"score": 0.9')
    told(files, manifest)


def name_a_device(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
    """A summary that would have other files read, with the hash that it should have."""
    from dspy_profiles.results.journal import _archive as archive

    content = json.loads(files["experiment.json"])
    content["files"]["../../../../../../../../../dev/zero"] = {
        "size": 1,
        "sha256": sha256(b"\0").hexdigest(),
    }
    content["hash"] = archive._hash(content)
    files["experiment.json"] = json.dumps(content).encode()
    told(files, manifest)


TAMPERED: dict[str, tuple[Change, str]] = {
    "a journal was changed": (flip, "has changed since it was exported"),
    "a journal and its hash were changed": (flip_and_tell, "the bundle is damaged"),
    "a journal and all but the summary were changed": (flip_and_seal, "the bundle is damaged"),
    "the summary was changed": (raise_score, "the summary has changed since it was archived"),
    "the summary names other files": (name_a_device, "the summary is missing, or"),
    "a long text was changed": (change_text, "is not named after its hash"),
    "a long text is missing": (without(blob), "the long texts are not those"),
    "a long text is missing and was told": (
        without(blob, is_told=False),
        "the files are not those",
    ),
    "a long text was added": (add_text, "the long texts are not those"),
    "a journal is missing": (without(journal), "the journals are not those"),
    "the seal is missing": (without(lambda _: "seal.json"), "the seal is missing"),
    "the summary is missing": (without(lambda _: "experiment.json"), "the summary is missing"),
    "the trials are missing": (without(lambda _: "trials.jsonl"), "the bundle is damaged"),
    "a journal was added": (add("journals/journal-99.jsonl"), "the journals are not those"),
    "a file was added": (add("seal.json.bak"), "unexpected file"),
    "a file was added untold": (add("evil.py", is_told=False), "unexpected file"),
    "a folder above": (add("../evil.py"), "unexpected file"),
    "a folder above in a name that is known": (
        add("journals/../../../journal-1.jsonl"),
        "unexpected file",
    ),
    "a path from the root": (add("/etc/cron.d/evil"), "unexpected file"),
    "a path of Windows": (add("..\\evil.py"), "unexpected file"),
    "a name with a line's end": (add("seal.json\n"), "unexpected file"),
    "a folder": (add("journals/"), "unexpected file"),
    "the manifest names itself": (
        lambda _, manifest: manifest["files"].update({"manifest.json": {"size": 0, "sha256": ""}}),
        "unexpected file|are not those",
    ),
    "a later version": (says(v=2), "version 2, and only 1 is supported"),
    "no version": (says(v=None), "version None"),
    "another format": (says(format="holiday photos"), "not a bundle of an experiment"),
    "no id": (says(id=None), "does not name an experiment"),
    "an id that is a path": (says(id="../../../../../../../x.y"), "does not name an experiment"),
    "the id of another experiment": (
        says(id="0" * 26),
        "the seal is missing, or belongs to another",
    ),
    "no files": (says(files=None), "does not list the files"),
    "files without sizes": (
        lambda files, manifest: says(files={name: {} for name in files})(files, manifest),
        "does not list the files",
    ),
    "sizes below zero": (
        lambda _, manifest: manifest["files"]["seal.json"].update(size=-1),
        "does not list the files",
    ),
    "a size that is too large to be true": (
        lambda _, manifest: manifest["files"]["seal.json"].update(size=2**50),
        "the bundle is too large",
    ),
    "a size that is too small": (
        lambda _, manifest: manifest["files"]["seal.json"].update(size=1),
        "has changed since it was exported",
    ),
}


@pytest.fixture
def refused(empty: Store, project: Path) -> Callable[[Path, str], InvalidFile]:
    """Sees that a file is refused, and that nothing has come of it anywhere."""

    def refused(file: Path, said: str) -> InvalidFile:
        before = sorted(project.parent.rglob("*"))
        with pytest.raises(InvalidFile, match=said) as caught:
            import_bundle(file, empty)
        assert str(caught.value.where) == str(file)
        assert empty.storage.ids() == []
        assert empty.query_experiments() == []
        assert vars(empty.storage)["_blobs"] == {}
        assert sorted(project.parent.rglob("*")) == before
        return caught.value

    return refused


class TestWhatIsRefused:
    @pytest.mark.parametrize(("change", "said"), TAMPERED.values(), ids=TAMPERED)
    def test_is_what_was_tampered_with(
        self,
        change: Change,
        said: str,
        file: Path,
        refused: Callable[[Path, str], InvalidFile],
    ) -> None:
        refused(changed(file, change), said)

    def test_is_no_zip(
        self, write: Callable[..., Path], refused: Callable[[Path, str], InvalidFile]
    ) -> None:
        refused(write("run.zip", "hello"), "not a readable bundle: File is not a zip file")
        refused(write("run.zip", ""), "not a readable bundle")

    def test_is_a_zip_of_something_else(
        self, project: Path, refused: Callable[[Path, str], InvalidFile]
    ) -> None:
        refused(packed({"a.txt": b"hello"}, project / "a.zip"), "not a bundle of an experiment")
        refused(
            packed({"manifest.json": b"[1]"}, project / "b.zip"), "not a bundle of an experiment"
        )
        deep = b"[" * 100_000
        refused(packed({"manifest.json": deep}, project / "c.zip"), "not a bundle of an experiment")

    def test_is_a_file_that_is_not_there_or_is_a_folder(
        self, project: Path, refused: Callable[[Path, str], InvalidFile]
    ) -> None:
        refused(project / "run.zip", "No such file")
        refused(project, "Is a directory")

    def test_is_a_file_that_stands_in_it_twice(
        self, file: Path, refused: Callable[[Path, str], InvalidFile]
    ) -> None:
        with (
            pytest.warns(UserWarning, match="Duplicate name"),
            zipfile.ZipFile(file, "a") as made,
        ):
            made.writestr("seal.json", b"{}")
        refused(file, '"seal.json" exists twice')

    def test_is_what_unpacks_to_far_more_than_it_says(
        self, file: Path, refused: Callable[[Path, str], InvalidFile]
    ) -> None:
        def bomb(files: dict[str, bytes], manifest: dict[str, Any]) -> None:
            files["trials.jsonl"] = b"\0" * 2**26

        made = changed(file, bomb)
        assert made.stat().st_size < 2**20
        refused(made, '"trials.jsonl" has changed since it was exported')

    def test_is_a_manifest_without_end(
        self,
        project: Path,
        refused: Callable[[Path, str], InvalidFile],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("dspy_profiles.results.export._bundle_files.MOST_OF_MANIFEST", 2**16)
        made = packed({"manifest.json": b" " * 2**20}, project / "bomb.zip")
        refused(made, '"manifest.json" has changed since it was exported')

    def test_is_what_has_more_files_than_any_experiment(
        self,
        file: Path,
        refused: Callable[[Path, str], InvalidFile],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("dspy_profiles.results.export._bundle_files.MOST_FILES", 3)
        refused(file, "the bundle has too many files")

    @pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_is_what_is_packed_in_another_way(
        self, method: int, file: Path, refused: Callable[[Path, str], InvalidFile]
    ) -> None:
        files = unpacked(file)
        with zipfile.ZipFile(file, "w", method) as made:
            for name, data in files.items():
                made.writestr(name, data)
        refused(file, "unsupported compression")


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_bundle_is_refused_or_nothing_of_it_is_another(
    data: st.DataObject, source: Store, experiment: str, file: Path
) -> None:
    whole = file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    damage = data.draw(st.sampled_from(["flip", "cut", "drop", "double"]))
    if damage == "flip":
        bit = 1 << data.draw(st.integers(0, 7))
        damaged = whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :]
    elif damage == "cut":
        damaged = whole[:at]
    else:
        until = data.draw(st.integers(at, min(at + 200, len(whole))))
        again = whole[at:until] * 2 if damage == "double" else b""
        damaged = whole[:at] + again + whole[until:]
    made = file.with_name("damaged.zip")
    made.write_bytes(damaged)
    empty = open_store(f"memory:bundle{next(NUMBERS)}")
    try:
        import_bundle(made, empty)
    except InvalidFile:
        assert empty.storage.ids() == []
    else:
        assert answers(empty, experiment) == answers(source, experiment)
