"""Somebody names an experiment or a trial in one of many ways, and that one is found."""

from typing import Any

import pytest

from dspy_profiles.results import ExperimentNotFound, Store, Trial, record, view_trial
from dspy_profiles.results.store import find_experiment, find_trial


@pytest.fixture
def store(memory: Store) -> Store:
    return memory


@pytest.fixture
def three(store: Store, lm: Any, program: Any) -> list[str]:
    """The ids of three experiments, oldest first."""
    ids = []
    for name in ("tune", "tune", "final"):
        with record(name, store=store) as exp:
            for n in range(3):
                program(question=f"q{n}")
        ids.append(exp.id)
    return ids


class TestAnExperiment:
    def test_is_found_by_its_id(self, store: Store, three: list[str]) -> None:
        assert [find_experiment(store, each).id for each in three] == three

    def test_is_found_as_the_latest(self, store: Store, three: list[str]) -> None:
        assert find_experiment(store, "latest").id == three[2]

    def test_is_found_by_how_many_came_after_it(self, store: Store, three: list[str]) -> None:
        assert [find_experiment(store, f"latest~{n}").id for n in (2, 1, 0)] == three
        with pytest.raises(ExperimentNotFound, match="only 3 experiments"):
            find_experiment(store, "latest~3")

    def test_is_found_by_a_name_that_only_it_has(self, store: Store, three: list[str]) -> None:
        assert find_experiment(store, "final").id == three[2]

    def test_is_found_by_as_much_of_its_id_as_tells_it_from_others(
        self, store: Store, three: list[str]
    ) -> None:
        for each in three:
            shortest = next(
                n for n in range(4, 27) if sum(o.startswith(each[:n]) for o in three) == 1
            )
            assert find_experiment(store, each[:shortest]).id == each

    def test_is_found_by_the_end_of_its_id(self, store: Store, lm: Any, program: Any) -> None:
        with record("a run", store=store) as exp:
            program(question="Why?")
        assert find_experiment(store, exp.id[-6:]).id == exp.id

    def test_is_not_another_whose_id_ends_by_chance_as_its_name_says(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with record("first", store=store) as first:
            program(question="Why?")
        with record(first.id[-4:], store=store) as second:
            program(question="Why?")
        assert find_experiment(store, first.id[-4:]).id == second.id

    def test_is_not_guessed_where_the_name_is_that_of_several(
        self, store: Store, three: list[str]
    ) -> None:
        with pytest.raises(ExperimentNotFound, match='"tune" may be 2 experiments') as caught:
            find_experiment(store, "tune")
        assert three[0] in str(caught.value)
        assert three[1] in str(caught.value)
        assert three[2] not in str(caught.value)

    def test_is_not_guessed_where_a_part_of_the_id_is_that_of_several(
        self, store: Store, three: list[str]
    ) -> None:
        with pytest.raises(ExperimentNotFound, match="may be 3 experiments") as caught:
            find_experiment(store, three[0][:5])
        assert all(each in str(caught.value) for each in three)

    def test_of_very_many_that_may_be_meant_the_first_are_told(self, store: Store, lm: Any) -> None:
        for _ in range(8):
            with record("tune", store=store):
                pass
        with pytest.raises(ExperimentNotFound, match="and 3 more"):
            find_experiment(store, "tune")

    def test_that_is_misspelt_gets_a_hint(self, store: Store, three: list[str]) -> None:
        with pytest.raises(ExperimentNotFound, match='did you mean "final"'):
            find_experiment(store, "finall")
        with pytest.raises(ExperimentNotFound, match='did you mean "latest"'):
            find_experiment(store, "lastest")

    def test_that_is_nothing_like_any_gets_the_command_that_lists_them(
        self, store: Store, three: list[str]
    ) -> None:
        with pytest.raises(ExperimentNotFound, match="dspy-profiles results list"):
            find_experiment(store, "abc")

    @pytest.mark.parametrize("named", ["latest", "tune", "0" * 26, "0000", "../..", ""])
    def test_is_not_in_a_store_without_any(self, store: Store, named: str) -> None:
        with pytest.raises(ExperimentNotFound):
            find_experiment(store, named)

    def test_with_a_name_like_a_number_is_found_by_its_name(
        self, store: Store, lm: Any, program: Any
    ) -> None:
        with record("2026", store=store) as exp:
            program(question="Why?")
        assert find_experiment(store, "2026").id == exp.id


class TestATrial:
    def test_is_found_by_its_id_and_by_as_much_of_it_as_tells_it_from_others(
        self, store: Store, three: list[str]
    ) -> None:
        experiment = store.get_experiment(three[0])
        for trial in store.query_trials(three[0]):
            assert find_trial(store, experiment, trial.id) == trial
            assert find_trial(store, experiment, trial.id[:-1]) == trial

    def test_is_found_by_its_number_from_one(self, store: Store, three: list[str]) -> None:
        experiment = store.get_experiment(three[0])
        asked = [find_trial(store, experiment, str(n)).inputs["question"] for n in (1, 2, 3)]
        assert asked == ["q0", "q1", "q2"]

    def test_is_found_by_its_name(self, store: Store, lm: Any, program: Any, examples: Any) -> None:
        import dspy

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(3), metric=lambda *_: 1, num_threads=1)(program)
        found = find_trial(store, store.get_experiment(exp.id), "example 2")
        assert found.inputs == {"question": "question 2"}

    def test_is_the_same_one_for_a_view(
        self, store: Store, lm: Any, program: Any, examples: Any
    ) -> None:
        import dspy

        with record("a run", store=store) as exp:
            dspy.Evaluate(devset=examples(3), metric=lambda *_: 1, num_threads=1)(program)
        experiment = store.get_experiment(exp.id)
        second = store.query_trials(exp.id)[1]
        for named in (second.id, second.id[:-1], "2", second.name):
            assert find_trial(store, experiment, named) == second
            row = view_trial(exp.id, named, store).sheet.row
            assert (row.id, row.number) == (second.id, 2)
        assert view_trial(exp.id, 2, store).sheet.row.id == second.id
        with pytest.raises(ExperimentNotFound) as found:
            find_trial(store, experiment, "exampel 2")
        with pytest.raises(ExperimentNotFound) as viewed:
            view_trial(exp.id, "exampel 2", store)
        assert str(found.value) == str(viewed.value)

    @pytest.mark.parametrize(
        ("named", "said"),
        [
            ("4", "it has 3 trials"),
            ("0", "it has 3 trials"),
            ("Porgram", 'did you mean "Program"'),
            ("Program", '"Program" may be 3 trials'),
            ("²", "it has 3 trials"),
            pytest.param("9" * 5000, "it has 3 trials", id="more digits than Python reads"),
        ],
    )
    def test_that_is_not_there_or_not_one_is_said_with_what_there_is(
        self, store: Store, three: list[str], named: str, said: str
    ) -> None:
        with pytest.raises(ExperimentNotFound, match=said):
            find_trial(store, store.get_experiment(three[0]), named)

    def test_of_another_experiment_is_not_found(self, store: Store, three: list[str]) -> None:
        other: Trial = store.query_trials(three[1])[0]
        with pytest.raises(ExperimentNotFound):
            find_trial(store, store.get_experiment(three[0]), other.id)
