"""`dspy.Embedder` and `dspy.ColBERTv2` are recorded and replayed as LMs are."""

import asyncio
from types import SimpleNamespace
from typing import Any

import dspy
import pytest

from dspy_profiles.calls import Refused


@pytest.fixture(autouse=True)
def without_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """DSPy turns embeddings into arrays when all calls are over; here they stay lists."""
    import dspy.clients.embedding

    plain = SimpleNamespace(array=lambda values, dtype=None: values, float32=None)
    monkeypatch.setattr(dspy.clients.embedding, "np", plain)


@pytest.fixture
def embed() -> Any:
    """An embedder whose model is a function, which counts its calls."""

    def lengths(texts: Any, **_: Any) -> Any:
        counted.asked += 1
        return [[len(text) + 0.1, 1 / 3, 1e-300] for text in texts]

    embedder = dspy.Embedder(lengths, batch_size=2, caching=False)

    def ask(*texts: Any, **more: Any) -> Any:
        return embedder(list(texts), **more)

    counted: Any = ask
    counted.asked = 0
    counted.embedder = embedder
    return counted


def test_embeddings_are_the_same(path: Any, playing: Any, embed: Any) -> None:
    with playing("once"):
        first = embed("a", "bb", "ccc")
    asked = embed.asked
    with playing("none") as cassette:
        assert embed("a", "bb", "ccc") == first
    assert (embed.asked, cassette.replayed) == (asked, 2)


def test_async_and_sync_embeddings_are_the_same_request(playing: Any, embed: Any) -> None:
    with playing("once"):
        first = embed("a", "bb")
    with playing("none"):
        assert asyncio.run(embed.embedder.acall(["a", "bb"])) == first


def test_other_texts_or_arguments_are_a_miss_and_keys_do_not_count(
    playing: Any, embed: Any
) -> None:
    with playing("once"):
        first = embed("a", dimensions=3, api_key="x", api_base="http://a")
    with playing("none"):
        assert embed("a", dimensions=3, api_key="y", api_base="http://b") == first
        with pytest.raises(Refused, match=r"dimensions: \[-3-\] \{\+4\+\}"):
            embed("a", dimensions=4)
        with pytest.raises(Refused, match=r"\[-a-\] \{\+b\+\}"):
            embed("b", dimensions=3)


def test_an_array_is_kept_as_its_numbers(path: Any, playing: Any) -> None:
    class Array:
        def tolist(self) -> Any:
            return [[0.5, 2.0]]

    def ask() -> Any:
        return dspy.clients.embedding._compute_embeddings(lambda texts: Array(), ["x"])

    with playing("once"):
        assert ask() == [[0.5, 2.0]]
    with playing("none"):
        assert ask() == [[0.5, 2.0]]


@pytest.fixture
def passages(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A ColBERTv2 server that answers without a network."""
    asked = []

    class Answer:
        def raise_for_status(self) -> None:
            pass

        def json(self) -> Any:
            return {"topk": [{"text": f"passage {n}", "pid": n, "score": 0.1 * n} for n in (1, 2)]}

    def get(url: Any, params: Any, timeout: Any) -> Any:
        asked.append(url)
        return Answer()

    monkeypatch.setattr("requests.get", get)
    return asked


def test_passages_are_the_same_wherever_they_came_from(playing: Any, passages: Any) -> None:
    with playing("once"):
        first = dspy.ColBERTv2(url="http://a.example")("Why?", k=2)
    with playing("none"):
        assert dspy.ColBERTv2(url="http://b.example")("Why?", k=2) == first
        with pytest.raises(Refused, match=r"k: \[-2-\] \{\+3\+\}"):
            dspy.ColBERTv2(url="http://b.example")("Why?", k=3)
    assert passages == ["http://a.example"]


def test_a_server_that_cannot_be_reached_cannot_be_reached_again(
    playing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests

    def get(*_: Any, **__: Any) -> None:
        raise requests.ConnectionError("no route to it")

    monkeypatch.setattr("requests.get", get)
    for mode in ("once", "none"):
        with playing(mode), pytest.raises(requests.ConnectionError, match="no route to it"):
            dspy.ColBERTv2(url="http://a.example")("Why?")
