"""Calls that are none of an LM: embedders and retrievers. The same in every DSPy that we know."""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from dspy_profiles._dspy._call import Call, Route
from dspy_profiles._dspy._names import cached_again, doors

__all__ = ["patch"]

EMBEDDING = "dspy.clients.embedding"
COLBERT = "dspy.dsp.colbertv2"


def patch(route: Route) -> None:
    """Lead the calls of embedders and of ColBERTv2 along the route."""
    _patch_embedder(route)
    _patch_retriever(route)


def _or_directly(
    cached: Callable[..., Any], direct: Callable[..., Any], route: Route
) -> Callable[..., Any]:
    @wraps(cached)
    def patched(*arguments: Any, **named: Any) -> Any:
        return (direct if route.bypasses_cache() else cached)(*arguments, **named)

    return patched


def _patch_embedder(route: Route) -> None:
    module = doors(EMBEDDING, "_compute_embeddings", "_acompute_embeddings")
    if module is None:
        return
    functions: dict[str, Any] = vars(module)
    compute, acompute = functions["_compute_embeddings"], functions["_acompute_embeddings"]

    @wraps(compute)
    def patched(model: Any, batch: Any, *more: Any, **arguments: Any) -> Any:
        attempt = route.attempt(_embedding(model, batch, arguments), route.stages())
        return route.call(attempt, partial(compute, model, batch, *more, **arguments))

    @wraps(acompute)
    async def apatched(model: Any, batch: Any, *more: Any, **arguments: Any) -> Any:
        attempt = route.attempt(_embedding(model, batch, arguments), route.stages())
        return await route.acall(attempt, partial(acompute, model, batch, *more, **arguments))

    functions.update(_compute_embeddings=patched, _acompute_embeddings=apatched)
    for name, direct in (("_cached_compute", patched), ("_cached_acompute", apatched)):
        if callable(cached := functions.get(f"{name}_embeddings")):
            functions[f"{name}_embeddings"] = _or_directly(cached, direct, route)


def _embedding(model: Any, batch: Any, arguments: dict[str, Any]) -> Call:
    # A function is the program's own, and so not a live call as far as we can know.
    name = model if isinstance(model, str) else getattr(model, "__name__", type(model).__name__)
    return Call("embedder", name, request=batch, legacy=arguments, offline=name is not model)


def _patch_retriever(route: Route) -> None:
    names = ("colbertv2_get_request_v2", "colbertv2_post_request_v2")
    module = doors(COLBERT, *names)
    for name in names if module is not None else ():
        inner = getattr(getattr(module, name), "__wrapped__", None)
        if inner is None:
            continue
        staged = _retrieving(inner, route)  # the function behind the cache; DSPy wraps it in two
        again = _or_directly(cached_again(staged), staged, route)
        setattr(module, name, again)
        outer = name.removesuffix("_v2")
        if callable(cached := getattr(module, outer, None)):
            setattr(module, outer, _or_directly(cached, staged, route))


def _retrieving(retrieve: Callable[..., Any], route: Route) -> Callable[..., Any]:
    @wraps(retrieve)
    def patched(url: str, query: str, k: int) -> Any:
        call = Call("retriever", url, request=query, legacy={"k": k})
        attempt = route.attempt(call, route.stages())
        return route.call(attempt, partial(retrieve, url, query, k))

    return patched
