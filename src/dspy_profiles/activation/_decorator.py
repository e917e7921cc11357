"""`@with_profile`: a profile for the steps of a function of any kind."""

import functools
import inspect
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar, cast, overload

from dspy_profiles.activation._block import profile
from dspy_profiles.errors import ProfileError
from dspy_profiles.profiles import Overrides, ResolvedProfile

__all__ = ["bind", "with_profile"]

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")
Wrap = Callable[[], AbstractContextManager[Any]]


@overload
def with_profile(name: F, /) -> F: ...
@overload
def with_profile(
    name: str | ResolvedProfile | None = None,
    *,
    cassette: str | os.PathLike[str] | None = None,
    cassettes: str | None = None,
    **overrides: Mapping[str, Any],
) -> Callable[[F], F]: ...
def with_profile(
    name: Any = None, *, cassette: Any = None, cassettes: Any = None, **overrides: Mapping[str, Any]
) -> Any:
    """Run a function under a profile, each time that it is called.

    For functions, coroutines, (async) generators, methods, and `dspy.Module` classes. A generator
    has the profile in its own steps only: code that iterates over it does not.

    >>> @with_profile("prod")  # doctest: +SKIP
    ... def answer(question: str) -> str: ...
    """
    if name is not None and not isinstance(
        name, str | ResolvedProfile
    ):  # @with_profile, without parentheses
        return cast("Callable[[F], F]", with_profile()(name))

    overrides = Overrides(overrides)  # a printed frame must show no secret
    profile(name, **overrides)  # refuses wrong overrides at this line of the program

    def block() -> profile:
        return profile(name, cassette=cassette, cassettes=cassettes, **overrides)

    def decorate(function: F) -> F:
        return cast("F", _decorated(function, block))

    return decorate


def bind(function: F) -> F:
    """Return the function bound to the profile that is active now.

    For threads and pools, which start without one:

    >>> pool.submit(bind(answer), "Why?")  # doctest: +SKIP
    """
    context = copy_context()
    if inspect.isasyncgenfunction(_called(function)):
        return cast("F", _async_generator(function, nullcontext, context))
    if inspect.isgeneratorfunction(_called(function)):
        return cast("F", _generator(function, nullcontext, context))
    if inspect.iscoroutinefunction(_called(function)):

        @functools.wraps(function)
        async def in_context(*args: Any, **kwargs: Any) -> Any:
            return await _Inside(context.copy(), function(*args, **kwargs))

        return cast("F", in_context)

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        # A copy each time: one context cannot be entered by two threads at once.
        return context.copy().run(function, *args, **kwargs)

    return cast("F", run)


def _decorated(function: Any, block: Wrap) -> Any:
    if isinstance(function, staticmethod | classmethod):
        return type(function)(_decorated(function.__func__, block))
    if isinstance(function, type):
        return _module_class(function, block)
    if not callable(function):
        raise ProfileError(
            f"with_profile cannot decorate {function!r}",
            hint="it takes functions, methods and dspy.Module classes",
        )
    wrap, _ = next(kind for kind in _KINDS if kind[1](_called(function)))
    return wrap(function, block)


def _called(function: Any) -> Any:
    """Return the function that runs: of an object with `__call__`, that method."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    return type(function).__call__


def _function(function: Callable[..., T], block: Wrap) -> Callable[..., T]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> T:
        with block():
            return function(*args, **kwargs)

    return run


def _coroutine(function: Callable[..., Awaitable[T]], block: Wrap) -> Callable[..., Awaitable[T]]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> T:
        with block():
            return await function(*args, **kwargs)

    return run


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], block: Wrap, within: Context | None = None
) -> Callable[..., Generator[Any, Any, Any]]:
    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        # The steps run in a context of their own: they may come from any thread, and blocks that
        # the generator opens between them find their way back.
        context = copy_context() if within is None else within.copy()
        entered = block()
        context.run(entered.__enter__)
        result: Any = None
        try:
            steps = context.run(function, *args, **kwargs)
            step, value = steps.send, None
            while True:
                try:
                    out = context.run(step, value)
                except StopIteration as stop:
                    result = stop.value
                    break
                try:
                    value = yield out
                    step = steps.send
                except GeneratorExit:
                    context.run(steps.close)
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the generator's to handle
                    step, value = steps.throw, error
        except BaseException as error:
            context.run(entered.__exit__, type(error), error, error.__traceback__)
            raise
        context.run(entered.__exit__, None, None, None)
        return result

    return run


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], block: Wrap, within: Context | None = None
) -> Callable[..., AsyncGenerator[Any, Any]]:
    @functools.wraps(function)
    async def run(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        context = copy_context() if within is None else within.copy()
        entered = block()
        context.run(entered.__enter__)
        try:
            steps = context.run(function, *args, **kwargs)
            step: Awaitable[Any] = steps.__anext__()
            while True:
                try:
                    out = await _Inside(context, step)
                except StopAsyncIteration:
                    break
                try:
                    value = yield out
                    step = steps.asend(value)
                except GeneratorExit:
                    await _Inside(context, steps.aclose())
                    raise
                except BaseException as error:  # noqa: BLE001 - it is the generator's to handle
                    step = steps.athrow(error)
        except BaseException as error:
            context.run(entered.__exit__, type(error), error, error.__traceback__)
            raise
        context.run(entered.__exit__, None, None, None)

    return run


_KINDS: tuple[tuple[Callable[..., Any], Callable[[Any], bool]], ...] = (
    (_async_generator, inspect.isasyncgenfunction),
    (_generator, inspect.isgeneratorfunction),
    (_coroutine, inspect.iscoroutinefunction),
    (_function, callable),
)


class _Inside(Generic[T]):
    """Await something in a context of its own, one step of the event loop after another."""

    def __init__(self, context: Context, awaitable: Awaitable[T]) -> None:
        self._context = context
        self._awaitable = awaitable

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._awaitable.__await__()
        step: Callable[[Any], Any] = functools.partial(_resume, steps)
        value: Any = None
        while True:
            try:
                out = self._context.run(step, value)
            except StopIteration as stop:
                return cast("T", stop.value)
            try:
                value = yield out
                step = functools.partial(_resume, steps)
            except BaseException as error:  # noqa: BLE001 - a cancellation goes to the inside
                step, value = steps.throw, error


def _resume(steps: Generator[Any, Any, Any], value: object) -> object:
    return next(steps) if value is None else steps.send(value)  # as `yield from` does it


def _module_class(cls: type, block: Wrap) -> type:
    dspy = sys.modules.get("dspy")
    if dspy is None or not issubclass(cls, dspy.Module):
        raise ProfileError(
            f"with_profile cannot decorate the class {cls.__qualname__}",
            hint="of classes it takes dspy.Module's; decorate the methods of others",
        )
    # What runs a program is its call: usage tracking and callbacks begin there, before `forward`.
    for name in ("__call__", "acall"):
        plain = getattr(cls, name)
        plain = getattr(plain, _UNDER, plain)  # a parent's profile gives way to the subclass's
        decorated = _decorated(plain, block)
        setattr(decorated, _UNDER, plain)
        setattr(cls, name, decorated)
    return cls


_UNDER = "__dspy_profiles_under__"
