"""What may stand behind the magics about results: options, statuses, names and numbers."""

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread

from dspy_profiles_ipython._words import WITH_VALUE, quoted

__all__ = ["OPTIONS", "texts_behind"]

OPTIONS = {
    "record": ("--as", "--hypothesis", "--store"),
    "results": ("--limit", "--profile", "--status", "--store"),
    "trace": ("--full", "--html", "--store", "--yes"),
}
MOST = 50  # experiments and trials that are offered
PATIENCE = 2.0  # seconds for a store to answer: somebody waits with a finger on a key


def texts_behind(magic: str, earlier: list[str], word: str) -> tuple[str, Iterable[str]]:
    """What may stand here, and what it is."""
    before = earlier[-1] if earlier else ""
    if before == "--status":
        from dspy_profiles.results.store import STATUSES

        return "status", STATUSES
    if before == "--profile":
        from dspy_profiles.profiles import list_profiles

        return "profile", map(quoted, list_profiles())
    if before in WITH_VALUE:
        return "", ()
    if word.startswith("-"):
        return "option", OPTIONS[magic]
    if magic != "trace":  # what stands there is new, or a word to be searched for
        return "", ()
    store, names = _store_and_names(earlier)
    match names:
        case []:
            return "experiment", _in_time(lambda: _experiments(store))
        case [name]:
            return "trial", _in_time(lambda: _trials(store, name, word))
    return "", ()


def _store_and_names(words: list[str]) -> tuple[str | None, list[str]]:
    """The store that is named, and what is no option and no value of one."""
    names, store, before = list[str](), None, ""
    for word in words:
        if before == "--store":
            store = word
        if before not in WITH_VALUE and not word.startswith("-"):
            names.append(word)
        before = word
    return store, names


def _experiments(url: str | None) -> list[str]:
    from dspy_profiles.results import open_store

    with open_store(url) as store:
        found = store.query_experiments(limit=MOST)
    count = Counter(each.name for each in found)
    names = [quoted(each.name) for each in found if count[each.name] == 1]
    return [*(["latest"] if found else []), *names, *(each.id for each in found)]


def _trials(url: str | None, experiment: str, begun: str) -> list[str]:
    from dspy_profiles.results import open_store
    from dspy_profiles.results.store import find_experiment

    with open_store(url) as store:
        numbers = range(1, find_experiment(store, experiment).trials + 1)
    return list(islice((n for n in map(str, numbers) if n.startswith(begun)), MOST))


def _in_time(ask: Callable[[], list[str]]) -> list[str]:
    """The answer; nothing where there is none, or none in time: a server may be far away."""
    found: SimpleQueue[list[str]] = SimpleQueue()

    def answer() -> None:
        try:
            found.put(ask())
        except Exception:  # noqa: BLE001 - the magic itself tells what is wrong
            found.put([])

    Thread(target=answer, daemon=True).start()
    try:
        return found.get(timeout=PATIENCE)
    except Empty:
        return []
