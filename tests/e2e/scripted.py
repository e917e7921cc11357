"""A provider inside of LiteLLM's proxy: it answers what DSPy's prompt asks for, always the same.

The proxy loads this file by its configuration, in an environment that has LiteLLM and no DSPy.
"""

import ast
import json
import re
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any

from litellm import ModelResponse
from litellm.llms.custom_llm import CustomLLM
from litellm.types.llms.openai import ChatCompletionUsageBlock
from litellm.types.utils import GenericStreamingChunk, Usage

WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath")
ASKED = re.compile(r"`\[\[ ## (\w+) ## \]\]`(.*?)(?=, then |, and then |$)")
# The arguments of an agent's calls.
TOOLS: tuple[dict[str, Any], ...] = ({"city": "Rome"}, {"degrees": 7}, {})
PIECE = re.compile(r".{1,7}", re.DOTALL)


def answer(messages: Sequence[dict[str, Any]]) -> str:
    """Each field that the last message asks for, with a value that hangs on the prompt alone."""
    prompt = "\n".join(text(message["content"]) for message in messages)
    last = text(messages[-1]["content"])
    asked = ASKED.findall(last[last.rfind("Respond with the corresponding output fields") :])
    said = [
        f"[[ ## {name} ## ]]\n{value(name, wanted, prompt, last)}"
        for name, wanted in asked
        if name != "completed"
    ]
    return "\n\n".join([*said, "[[ ## completed ## ]]"]) if said else pick(prompt, WORDS)


def text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


def value(name: str, wanted: str, prompt: str, last: str) -> str:
    """What is said in a field: words, or what the type that is asked for has."""
    seed = f"{name}\n{prompt}"
    turn = len(re.findall(r"\[\[ ## observation_\d+ ## \]\]", last))
    if name == "next_tool_args":
        return json.dumps(TOOLS[min(turn, len(TOOLS) - 1)])
    if "Literal" in wanted:
        choices = ast.literal_eval(wanted[wanted.index("Literal") + 7 : wanted.rindex("]") + 1])
        # An agent uses its tools in turn, once each.
        return choices[min(turn, len(choices) - 1)] if "finish" in choices else pick(seed, choices)
    schema = re.search(rf"^\{{{name}\}} .*JSON schema: (\{{.*\}})$", prompt, re.MULTILINE)
    if schema:
        read = json.loads(schema[1])
        return json.dumps(of_schema(read, read.get("$defs", {}), seed))
    numbers = {"int": number(seed) % 90 + 1, "float": number(seed) % 100 / 100}
    for kind, found in {**numbers, "bool": number(seed) % 2 == 0}.items():
        if f"Python {kind}" in wanted:
            return str(found)
    return " ".join(pick(f"{n} {seed}", WORDS) for n in range(3 + number(seed) % 3))


def of_schema(schema: dict[str, Any], known: dict[str, Any], seed: str) -> Any:
    """Something that a JSON schema allows."""
    if "$ref" in schema:
        return of_schema(known[schema["$ref"].rpartition("/")[2]], known, seed)
    if "enum" in schema:
        return pick(seed, schema["enum"])
    kind = schema.get("type")
    if kind == "object":
        parts = schema.get("properties", {}).items()
        return {name: of_schema(part, known, f"{name} {seed}") for name, part in parts}
    if kind == "array":
        return [of_schema(schema["items"], known, f"{n} {seed}") for n in range(2)]
    made = {"integer": number(seed) % 90, "number": number(seed) % 100 / 100, "boolean": True}
    return made.get(str(kind), pick(seed, WORDS))


def number(seed: str) -> int:
    return int.from_bytes(sha256(seed.encode()).digest()[:4], "big")


def pick(seed: str, choices: Sequence[str]) -> str:
    return choices[number(seed) % len(choices)]


class Scripted(CustomLLM):
    """What the proxy calls; it asks nobody."""

    async def acompletion(self, *_: Any, **asked: Any) -> ModelResponse:
        said = answer(asked["messages"])
        return ModelResponse(
            model=asked["model"],
            choices=[
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": said},
                }
            ],
            usage=Usage(**usage(asked["messages"], said)),
        )

    # LiteLLM iterates over what it calls, but declares it as what is awaited first.
    async def astreaming(  # type: ignore[override]
        self, *_: Any, **asked: Any
    ) -> AsyncIterator[GenericStreamingChunk]:
        said = answer(asked["messages"])
        for piece in PIECE.findall(said):
            yield chunk(piece)
        yield chunk("", usage(asked["messages"], said))


def chunk(piece: str, used: ChatCompletionUsageBlock | None = None) -> GenericStreamingChunk:
    return GenericStreamingChunk(
        text=piece,
        is_finished=used is not None,
        finish_reason="stop" if used else "",
        index=0,
        tool_use=None,
        usage=used,
    )


def usage(messages: Sequence[dict[str, Any]], said: str) -> ChatCompletionUsageBlock:
    asked = sum(len(text(message["content"]).split()) for message in messages)
    answered = len(said.split())
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }


scripted = Scripted()
