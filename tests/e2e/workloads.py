"""What DSPy is used for, each as a function that returns what a program would go on with."""

import asyncio
from collections.abc import Callable
from typing import Any

import dspy

__all__ = ["STREAMED", "WORKLOADS"]

QUESTION = "What is the weather in Rome"


def weather(city: str) -> str:
    """The weather there."""
    return f"rain in {city}"


def clothes(degrees: int) -> str:
    """What to wear."""
    return f"a coat for {degrees} degrees"


def examples(count: int) -> list[dspy.Example]:
    return [
        dspy.Example(question=f"What is number {n}?", answer="amber").with_inputs("question")
        for n in range(count)
    ]


def is_long(_: dspy.Example, found: dspy.Prediction, trace: Any = None) -> bool:
    return len(found.answer) > 20


def shown(program: dspy.Module) -> list[Any]:
    """What a compiler has made of a program."""
    return [
        [name, each.signature.instructions, [dict(demo) for demo in each.demos]]
        for name, each in program.named_predictors()
    ]


def predict() -> dspy.Prediction:
    return dspy.Predict("question -> answer")(question=QUESTION)


def chain_of_thought() -> dspy.Prediction:
    signature = "question -> answer: int, sure: bool, words: list[str], share: float"
    return dspy.ChainOfThought(signature)(question=QUESTION)


def react() -> dspy.Prediction:
    return dspy.ReAct("question -> answer", tools=[weather, clothes])(question=QUESTION)


def several() -> list[str]:
    found = dspy.Predict("question -> answer")(
        question=QUESTION, config={"n": 3, "temperature": 1.0}
    )
    answers: list[str] = found.completions.answer
    return answers


def parallel() -> list[dspy.Prediction]:
    module = dspy.Predict("question -> answer")
    run = dspy.Parallel(num_threads=8, disable_progress_bar=True)
    found: list[dspy.Prediction] = run([(module, each) for each in examples(48)])
    return found


def evaluate() -> list[Any]:
    evaluated = dspy.Evaluate(
        devset=examples(24), metric=is_long, num_threads=8, display_progress=False
    )(dspy.ChainOfThought("question -> answer"))
    return [evaluated.score, evaluated.results]


def gather() -> list[dspy.Prediction]:
    module = dspy.Predict("question -> answer")

    async def main() -> list[dspy.Prediction]:
        return await asyncio.gather(*(module.acall(question=f"Why {n}?") for n in range(100)))

    return asyncio.run(main())


def best_of_n() -> dspy.Prediction:
    def words(_: Any, found: dspy.Prediction) -> float:
        return len(found.answer.split())

    module = dspy.Predict("question -> answer")
    return dspy.BestOfN(module, N=3, reward_fn=words, threshold=99)(question=QUESTION)


def streamify() -> list[Any]:
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    return _streamed(dspy.ChainOfThought("question -> answer"), stream_listeners=[listener])


def streamify_async() -> list[Any]:
    listener = dspy.streaming.StreamListener(signature_field_name="answer")
    program = dspy.ChainOfThought("question -> answer")
    return _streamed(program, stream_listeners=[listener], is_async_program=True)


def streamify_raw() -> list[Any]:
    return _streamed(dspy.Predict("question -> answer"))


def _streamed(program: dspy.Module, **how: Any) -> list[Any]:
    streaming = dspy.streamify(program, **how)

    async def main() -> list[Any]:
        return [chunk async for chunk in streaming(question=QUESTION)]

    return [_chunk(each) for each in asyncio.run(main())]


def _chunk(chunk: Any) -> Any:
    """A chunk without what differs in each process; LiteLLM's are objects, DSPy's tables."""
    if type(chunk).__name__ == "ModelResponseStream":
        chunk = chunk.model_dump()
    if isinstance(chunk, dict):
        return {key: value for key, value in chunk.items() if key not in ("predict_id", "created")}
    return chunk


def bootstrap() -> list[Any]:
    compiler = dspy.BootstrapFewShot(metric=is_long, max_bootstrapped_demos=2)
    return shown(compiler.compile(dspy.ChainOfThought("question -> answer"), trainset=examples(6)))


def miprov2() -> list[Any]:
    compiler = dspy.MIPROv2(
        metric=is_long,
        auto=None,
        num_candidates=3,
        max_bootstrapped_demos=1,
        max_labeled_demos=1,
        num_threads=4,
        verbose=False,
    )
    compiled = compiler.compile(
        dspy.ChainOfThought("question -> answer"),
        trainset=examples(8),
        valset=examples(8),
        num_trials=4,
        minibatch=False,
    )
    return shown(compiled)


STREAMED = (streamify, streamify_async, streamify_raw)
WORKLOADS: tuple[Callable[[], Any], ...] = (
    predict,
    chain_of_thought,
    react,
    several,
    parallel,
    evaluate,
    gather,
    best_of_n,
    *STREAMED,
    bootstrap,
    miprov2,
)
