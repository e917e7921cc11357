"""A store that is its journals, and what was made of them: `memory:` and `file:`."""

from collections.abc import Iterable, Iterator
from typing import Any, Self

from dspy_profiles.errors import ExperimentNotFound, StoreError
from dspy_profiles.results import archive, reading, words
from dspy_profiles.results.assembling import Assembled, assemble, stream
from dspy_profiles.results.ids import is_id
from dspy_profiles.results.model import Event, Experiment, Fault, Trial
from dspy_profiles.results.shelf import Shelf
from dspy_profiles.results.store.filters import ExperimentFilter, first, suits
from dspy_profiles.results.store.protocol import Recorded, When

__all__ = ["JournalStore"]


class JournalStore:
    """Closed experiments are read from their documents, open ones from their journals."""

    def __init__(self, url: str, shelf: Shelf) -> None:
        self._url = url
        self._shelf = shelf

    @property
    def url(self) -> str:
        return self._url

    @property
    def shelf(self) -> Shelf:
        return self._shelf

    def archive_experiment(self, experiment: Recorded) -> Experiment:
        theirs: Shelf | None = getattr(getattr(experiment, "store", None), "shelf", None)
        if not self._is_here(experiment.id) and theirs is not None:
            archive.adopt(self._shelf, theirs, experiment.id)
        seal = archive.seal_of(self._shelf, self._known(experiment.id))
        if seal is None:
            raise StoreError(
                f"the experiment {experiment.id} is not closed yet",
                hint="leave its block first; dspy-profiles results recover closes a dead one",
            )
        if archive.summary(self._shelf, experiment.id) is None:
            archive.write(self._shelf, experiment.id, seal)
        return self.get_experiment(experiment.id)

    def get_experiment(self, experiment_id: str) -> Experiment:
        found = self._found(experiment_id)
        if found is None:
            raise self._absent(experiment_id)
        return found

    def query_experiments(  # noqa: PLR0913 - as the protocol says
        self,
        *,
        hypothesis: str | None = None,
        program: str | None = None,
        profile: str | None = None,
        status: str | None = None,
        since: When | None = None,
        until: When | None = None,
        min_score: float | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> list[Experiment]:
        wanted = ExperimentFilter(hypothesis, program, profile, status, since, until, min_score)
        said = None if text is None else words.words(text)
        return list(first(self.among(self._shelf.ids(), wanted, said), limit))

    def among(
        self, ids: Iterable[str], wanted: ExperimentFilter, text: set[str] | None
    ) -> Iterator[Experiment]:
        """Those of these experiments that are wanted."""
        holds = wanted.check()
        found = map(self._found, ids)
        suitable = (each for each in found if each is not None and holds(each))
        return suitable if text is None else (e for e in suitable if self._says(e, text))

    def query_trials(  # noqa: PLR0913
        self,
        experiment_id: str,
        *,
        status: str | None = None,
        kind: str | None = None,
        min_score: float | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> list[Trial]:
        trials: Iterable[Trial] = self._trials(self._known(experiment_id))
        trials = (each for each in trials if suits(each, status, kind, min_score))
        trials = (self._whole(each) for each in trials)
        if text is not None:
            named = self._trials_that_say(experiment_id, words.words(text))
            trials = (each for each in trials if each.id in named)
        return list(first(trials, limit))

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        found = [self._whole(each) for each in self._stream(self._known(experiment_id), trial_id)]
        return sorted(found, key=lambda event: event.id)

    def verify(self, experiment_id: str) -> list[Fault]:
        return archive.verify(self._shelf, self._known(experiment_id))

    def recover(self) -> list[Experiment]:
        names = self._shelf.ids()
        unmade = (name for name in names if archive.summary(self._shelf, name) is None)
        return [done for name in unmade if (done := self.closed(name)) is not None]

    def closed(self, name: str) -> Experiment | None:
        """The experiment, archived if it is over; None where its process lives, or left nothing."""
        seal = archive.seal_of(self._shelf, name)
        if seal is None and not self._shelf.is_alive(name) and self._shelf.names(name):
            found = self._assembled(name).experiment
            archive.seal(self._shelf, name, "interrupted", ended=found.ended)
            seal = archive.seal_of(self._shelf, name)
        if seal is None:
            return None
        if archive.summary(self._shelf, name) is None:
            archive.write(self._shelf, name, seal)
        return self.get_experiment(name)

    def rebuild(self) -> int:
        return sum(self.rebuilt(name) for name in self._shelf.ids())

    def rebuilt(self, name: str) -> bool:
        """Whether the documents of this experiment could be made anew: not while it is open."""
        seal = archive.seal_of(self._shelf, name)
        if seal is not None:
            archive.write(self._shelf, name, seal)
        return seal is not None

    def close(self) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _found(self, experiment_id: str) -> Experiment | None:
        """None too for an empty folder, as a process leaves it that is killed while it begins."""
        if not is_id(experiment_id):
            return None
        done = archive.summary(self._shelf, experiment_id)
        if done is None and self._shelf.names(experiment_id):
            done = self._assembled(experiment_id).experiment
        return done

    def _is_here(self, experiment_id: str) -> bool:
        return is_id(experiment_id) and bool(
            self._shelf.names(experiment_id)
            or archive.summary(self._shelf, experiment_id) is not None
        )

    def _known(self, experiment_id: str) -> str:
        if not self._is_here(experiment_id):
            raise self._absent(experiment_id)
        return experiment_id

    def _absent(self, experiment_id: str) -> ExperimentNotFound:
        return ExperimentNotFound(
            f'there is no experiment "{experiment_id}" in {self._url}',
            hint="dspy-profiles results list shows those that there are",
        )

    def _assembled(self, experiment_id: str) -> Assembled:
        return assemble(self._shelf, experiment_id, archive.seal_of(self._shelf, experiment_id))

    def _trials(self, experiment_id: str) -> Iterator[Trial]:
        if archive.summary(self._shelf, experiment_id) is None:
            yield from self._assembled(experiment_id).trials
        else:
            yield from (trial for trial, _ in archive.trials(self._shelf, experiment_id))

    def _stream(self, experiment_id: str, trial_id: str | None = None) -> Iterator[Event]:
        seal = archive.seal_of(self._shelf, experiment_id)
        is_running = seal is None and self._shelf.is_alive(experiment_id)
        stretches = None
        if trial_id is not None and archive.summary(self._shelf, experiment_id) is not None:
            known = archive.trials(self._shelf, experiment_id)
            stretches = next((found for trial, found in known if trial.id == trial_id), {})
            if not stretches:
                return iter(())
        unfinished = "running" if is_running else "interrupted"
        return stream(self._shelf, experiment_id, seal, unfinished, stretches, trial_id)

    def _says(self, experiment: Experiment, wanted: set[str]) -> bool:
        own = (experiment.name, experiment.hypothesis, experiment.program, experiment.profile)
        if wanted <= words.words("\n".join(text for text in own if text)):
            return True
        return any(True for _ in self._that_say(experiment.id, wanted))

    def _trials_that_say(self, experiment_id: str, wanted: set[str]) -> set[str | None]:
        return set(self._that_say(experiment_id, wanted))

    def _that_say(self, experiment_id: str, wanted: set[str]) -> Iterator[str | None]:
        """The trial of each event, and each trial, that has all these words in its texts."""
        for trial in self._trials(experiment_id):
            if self._has(wanted, trial.name, trial.inputs, trial.outputs, trial.error):
                yield trial.id
        for event in self._stream(experiment_id):
            if self._has(wanted, event.name, event.attributes):
                yield event.trial_id

    def _has(self, wanted: set[str], *values: Any) -> bool:
        left = set(wanted)
        for value in values:
            for text in words.texts_in(reading.whole(value, self._shelf)):
                left -= words.words(text)
                if not left:
                    return True
        return not left

    def _whole(self, record: Any) -> Any:
        """A trial or an event with its long texts."""
        made = {k: reading.whole(v, self._shelf) for k, v in vars(record).items()}
        return type(record)(**made)
