"""A store that is its journals, and what was made of them: `memory:` and `file:`."""

from collections.abc import Iterable, Iterator
from typing import Any

from dspy_profiles.errors import ExperimentNotFound, StoreError
from dspy_profiles.results import _words
from dspy_profiles.results._ids import is_id
from dspy_profiles.results._model import Event, Experiment, Fault, Trial
from dspy_profiles.results.journal import _archive, _read
from dspy_profiles.results.journal._assemble import Assembled, assemble, stream
from dspy_profiles.results.journal._base import JournalStorage
from dspy_profiles.results.store._base import BaseStore
from dspy_profiles.results.store._each import OneByOne
from dspy_profiles.results.store._filters import ExperimentFilter, TrialFilter, first
from dspy_profiles.results.store._protocol import Recorded

__all__ = ["JournalStore"]


class JournalStore(BaseStore):
    """Closed experiments are read from their documents, open ones from their journals."""

    def _archive(self, experiment: Recorded) -> Experiment:
        theirs: JournalStorage | None = getattr(getattr(experiment, "store", None), "shelf", None)
        if not self._is_here(experiment.id) and theirs is not None:
            _archive.adopt(self._shelf, theirs, experiment.id)
        seal = _archive.seal_of(self._shelf, self._known(experiment.id))
        if seal is None:
            raise StoreError(
                f"the experiment {experiment.id} is not closed yet",
                hint="leave its block first; dspy-profiles results recover closes a dead one",
            )
        if _archive.summary(self._shelf, experiment.id) is None:
            _archive.write(self._shelf, experiment.id, seal)
        return self.get_experiment(experiment.id)

    def get_experiment(self, experiment_id: str) -> Experiment:
        found = self._found(experiment_id)
        if found is None:
            raise self._absent(experiment_id)
        return found

    def among(self, ids: Iterable[str], wanted: ExperimentFilter) -> Iterator[Experiment]:
        """Those of these experiments that are wanted."""
        holds, said = wanted.check(), wanted.words
        found = map(self._found, ids)
        suitable = (each for each in found if each is not None and holds(each))
        return suitable if said is None else (e for e in suitable if self._says(e, said))

    def events(self, experiment_id: str, trial_id: str | None = None) -> list[Event]:
        found = self._stream(self._known(experiment_id), trial_id)
        whole = (_read.complete(each, self._shelf) for each in found)
        return sorted(whole, key=lambda event: event.id)

    def verify(self, experiment_id: str) -> list[Fault]:
        return _archive.verify(self._shelf, self._known(experiment_id))

    def closed(self, name: str) -> Experiment | None:
        """The experiment, archived if it is over; None where its process lives, or left nothing."""
        seal = _archive.seal_of(self._shelf, name)
        if seal is None and not self._shelf.is_alive(name) and self._shelf.names(name):
            found = self._assembled(name).experiment
            _archive.seal(self._shelf, name, "interrupted", ended=found.ended)
            seal = _archive.seal_of(self._shelf, name)
        if seal is None:
            return None
        if _archive.summary(self._shelf, name) is None:
            _archive.write(self._shelf, name, seal)
        return self.get_experiment(name)

    def rebuild(self) -> int:
        made = OneByOne[bool]("made anew")
        for name in self._shelf.ids():
            made.take(name, self.rebuilt)
        return len(made.all())

    def rebuilt(self, name: str) -> bool:
        """Whether the documents of this experiment could be made anew: not while it is open."""
        seal = _archive.seal_of(self._shelf, name)
        if seal is not None:
            _archive.write(self._shelf, name, seal)
        return seal is not None

    def close(self) -> None:
        pass

    def experiments(self, wanted: ExperimentFilter) -> list[Experiment]:
        return first(self.among(self._shelf.ids(), wanted), wanted.limit)

    def trials(self, experiment_id: str, wanted: TrialFilter) -> list[Trial]:
        trials = (t for t in self._trials(self._known(experiment_id)) if wanted.suits(t))
        whole: Iterable[Trial] = (_read.complete(each, self._shelf) for each in trials)
        if wanted.words is not None:
            named = set(self._that_say(experiment_id, wanted.words))
            whole = (each for each in whole if each.id in named)
        return first(whole, wanted.limit)

    def _open(self) -> list[str]:
        return self._shelf.ids()

    def _recovered(self, name: str) -> Experiment | None:
        return self.closed(name) if _archive.summary(self._shelf, name) is None else None

    def _found(self, experiment_id: str) -> Experiment | None:
        """None too for an empty folder, as a process leaves it that is killed while it begins."""
        if not is_id(experiment_id):
            return None
        done = _archive.summary(self._shelf, experiment_id)
        if done is None and self._shelf.names(experiment_id):
            done = self._assembled(experiment_id).experiment
        return done

    def _is_here(self, experiment_id: str) -> bool:
        return is_id(experiment_id) and bool(
            self._shelf.names(experiment_id)
            or _archive.summary(self._shelf, experiment_id) is not None
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
        return assemble(self._shelf, experiment_id, _archive.seal_of(self._shelf, experiment_id))

    def _trials(self, experiment_id: str) -> Iterator[Trial]:
        if _archive.summary(self._shelf, experiment_id) is None:
            yield from self._assembled(experiment_id).trials
        else:
            yield from (trial for trial, _ in _archive.trials(self._shelf, experiment_id))

    def _stream(self, experiment_id: str, trial_id: str | None = None) -> Iterator[Event]:
        seal = _archive.seal_of(self._shelf, experiment_id)
        is_running = seal is None and self._shelf.is_alive(experiment_id)
        stretches = None
        if trial_id is not None and _archive.summary(self._shelf, experiment_id) is not None:
            known = _archive.trials(self._shelf, experiment_id)
            stretches = next((found for trial, found in known if trial.id == trial_id), {})
            if not stretches:
                return iter(())
        unfinished = "running" if is_running else "interrupted"
        return stream(self._shelf, experiment_id, seal, unfinished, stretches, trial_id)

    def _says(self, experiment: Experiment, wanted: set[str]) -> bool:
        own = (experiment.name, experiment.hypothesis, experiment.program, experiment.profile)
        if wanted <= _words.words("\n".join(text for text in own if text)):
            return True
        return any(True for _ in self._that_say(experiment.id, wanted))

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
            for text in _words.texts_in(_read.whole(value, self._shelf)):
                left -= _words.words(text)
                if not left:
                    return True
        return not left
