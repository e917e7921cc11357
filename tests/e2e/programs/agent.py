"""An agent that looks up the weather and says what to pack, once plainly and once streamed."""

import asyncio
import json

import dspy

DEGREES = {"Rome": 21, "Oslo": 4, "Cairo": 33}
packed: list[str] = []


def weather(city: str) -> str:
    """How warm it is in a city."""
    return f"{DEGREES[city]} degrees in {city}"


def pack(degrees: int) -> str:
    """Puts what is needed into the bag."""
    packed.append("a coat" if degrees < 10 else "a shirt")
    return f"packed: {', '.join(packed)}"


class Advice(dspy.Signature):
    """Say what to take on a journey. Look before you speak."""

    journey: str = dspy.InputField()
    advice: str = dspy.OutputField(desc="one sentence")
    sure: bool = dspy.OutputField()


agent = dspy.ReAct(Advice, tools=[weather, pack], max_iters=4)


async def streamed(journey: str) -> list[str]:
    listener = dspy.streaming.StreamListener(signature_field_name="advice")
    run = dspy.streamify(agent, stream_listeners=[listener])
    return [
        chunk.chunk if isinstance(chunk, dspy.streaming.StreamResponse) else type(chunk).__name__
        async for chunk in run(journey=journey)
    ]


with dspy.track_usage() as tracker:
    plain = agent(journey="to Rome in May")
    chunks = asyncio.run(streamed("to Oslo in winter"))
usage = tracker.get_total_tokens()
said = {"advice": plain.advice, "sure": plain.sure, "trajectory": plain.trajectory}
print(json.dumps({**said, "packed": packed, "chunks": chunks, "usage": usage}, indent=1))  # noqa: T201 - what a program is for
