"""What the mock says to a request: values for every field, calls of tools, or plain text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, EnumMeta
from typing import Any, get_args

import dspy
from pydantic_core import to_jsonable_python

from dspy_profiles.objects.engines.mock._json_values import json_for
from dspy_profiles.objects.engines.mock._origin import RequestOrigin
from dspy_profiles.objects.engines.mock._script import Scripted
from dspy_profiles.objects.engines.mock._text import Draw, text_of
from dspy_profiles.objects.engines.mock._values import make_json

__all__ = ["Asked", "Reply"]

# Tools by which agents say that they are done: of all tools, these bring a program to its end.
_ENDING = ("finish", "submit")
# Fields that hold a program to run, in modules of DSPy that run it.
_CODE_FIELDS = ("generated_code", "code")


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished answer: its text, the values in that text, and the tools that are called."""

    text: str
    outputs: dict[str, Any] | None = None
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass(frozen=True)
class Asked:
    """A request with all that is known about it, and the answers to it."""

    request: Any
    origin: RequestOrigin
    prompt: str
    seed: int | str
    always: Mapping[str, Any] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """The text in which `when` is looked for: the inputs where they are known."""
        if not self.origin.inputs:
            return self.prompt
        return "\n".join(text_of(value) for value in self.origin.inputs.values())

    @property
    def wanted(self) -> set[str] | None:
        """The names that a scripted answer may give: fields, and arguments of the tool called."""
        if self.origin.declared is None:
            return None
        tool = self._tool()
        return {
            *self.origin.signature.output_fields,
            *self.origin.declared.output_fields,
            *(() if tool is None else _arguments(tool)),
        }

    def reply(self, scripted: Scripted | None, earlier: Mapping[str, Any] | None = None) -> Reply:
        """The answer. `earlier` are values to be said again by an adapter's second step."""
        if scripted is not None and scripted.text is not None:
            return Reply(scripted.text)
        given = {**self.always, **(earlier or {}), **(scripted.fields if scripted else {})}
        calls = self._calls(given)
        if self.origin.signature is None:
            fields = scripted.fields if scripted else {}
            return Reply("" if calls and not fields else self._plain(fields), calls=calls)
        outputs = {name: self._output(name, given) for name in self.origin.signature.output_fields}
        if calls and not outputs:
            return Reply("", outputs, calls)
        text = self.origin.adapter.format_assistant_message_content(self.origin.signature, outputs)
        return Reply(str(text) or self._plain({}), outputs, calls)

    @property
    def _seed(self) -> str:
        asked = self.prompt if self.origin.signature is None else text_of(self.origin.inputs)
        return f"{self.seed}|{self.origin.sample}|{asked}"

    def _plain(self, fields: Mapping[str, Any]) -> str:
        if len(fields) == 1:
            return text_of(next(iter(fields.values())))
        if fields:
            return json.dumps(dict(fields), default=text_of, ensure_ascii=False)
        wish = self.request.config.response_format
        if wish is None:
            return f"mock reply {Draw(self._seed).word()}"
        schema = wish.get("schema", {"type": "object", "additionalProperties": True})
        return json.dumps(json_for(schema, seed_text=self._seed, name="reply"), ensure_ascii=False)

    def _output(self, name: str, given: Mapping[str, Any]) -> Any:
        info = self.origin.signature.output_fields[name]
        if name in given:
            return _written(given[name], info.annotation)
        if (known := self._of_an_agent(name, info.annotation)) is not None:
            return known
        return _written(
            make_json(
                info.annotation,
                seed_text=self._seed,
                name=name,
                field_info=info,
                # XMLAdapter names elements after fields, the others follow pydantic's aliases.
                by_alias=not isinstance(self.origin.adapter, dspy.XMLAdapter),
            ),
            info.annotation,
        )

    def _of_an_agent(self, name: str, annotation: Any) -> Any:
        """What ends the loop of a module of DSPy that asks for this field; None for any other."""
        fields = self.origin.signature.output_fields
        if name == "next_tool_name":
            return next((tool for tool in _ENDING if tool in get_args(annotation)), None)
        if name == "next_tool_args" and "next_tool_name" in fields:
            return {}
        if name == "finished" and annotation is bool:
            return True
        if name in _CODE_FIELDS and annotation is str:
            return f'```python\nprint("mock {name} {Draw(self._seed).word()}")\n```'
        if annotation is dspy.ToolCalls and (tool := _preferred(_tools_in(self.origin.inputs))):
            return {"tool_calls": [{"name": tool.name, "args": self._made_arguments(tool)}]}
        return None

    def _tool(self) -> Any:
        """The tool of the request that is called now, if one is."""
        choice = self.request.config.tool_choice
        mode = "auto" if choice is None else choice.mode
        if mode == "none" or (mode == "auto" and _has_result(self.request.messages)):
            return None
        allowed = choice.allowed if choice is not None else ()
        tools = [tool for tool in self.request.tools if tool.type == "function"]
        return _preferred([tool for tool in tools if not allowed or tool.name in allowed])

    def _calls(self, given: Mapping[str, Any]) -> tuple[tuple[str, dict[str, Any]], ...]:
        if not self.request.tools:
            return ()
        for name, info in getattr(self.origin.declared, "output_fields", {}).items():
            if info.annotation is dspy.ToolCalls and name in given:
                scripted = dspy.ToolCalls.model_validate(given[name]).tool_calls
                return tuple((call.name, _plain_data(call.args)) for call in scripted)
        if (tool := self._tool()) is None:
            return ()
        arguments = {key: given[key] for key in _arguments(tool) if key in given}
        return ((tool.name, {**self._made_arguments(tool), **_plain_data(arguments)}),)

    def _made_arguments(self, tool: Any) -> dict[str, Any]:
        return {
            name: json_for(schema, seed_text=self._seed, name=name)
            for name, schema in _arguments(tool).items()
            if name in _required(tool)
        }


def _plain_data(arguments: Mapping[str, Any]) -> dict[str, Any]:
    # A call's arguments travel as JSON, whatever was scripted.
    plain: dict[str, Any] = to_jsonable_python(dict(arguments), fallback=str)
    return plain


def _written(value: Any, annotation: Any) -> Any:
    # DSPy reads a field's enum by its value as a text or by its name: 1 is neither, "RED" is.
    if not isinstance(annotation, EnumMeta):
        return value
    member: Any
    for member in annotation:
        if value is member or (value == member.value and not isinstance(member.value, str)):
            return member.name
    return value.value if isinstance(value, Enum) else value


def _preferred(tools: list[Any]) -> Any:
    """The tool that ends the conversation, else the first; None where there is none."""
    ending = [tool for tool in tools if tool.name in _ENDING]
    return next(iter(ending or tools), None)


def _arguments(tool: Any) -> Mapping[str, Any]:
    """Argument names and their schemas, of a dspy.Tool or of a tool in a request."""
    if isinstance(tool, dspy.Tool):
        return tool.args or {}
    properties: Mapping[str, Any] = tool.parameters.get("properties", {})
    return properties


def _required(tool: Any) -> list[str]:
    if isinstance(tool, dspy.Tool):
        return [name for name, schema in (tool.args or {}).items() if "default" not in schema]
    return list(tool.parameters.get("required", ()))


def _tools_in(inputs: Mapping[str, Any]) -> list[Any]:
    values = (value if isinstance(value, list | tuple) else [value] for value in inputs.values())
    return [tool for value in values for tool in value if isinstance(tool, dspy.Tool)]


def _has_result(messages: Any) -> bool:
    """Whether a tool has answered since the user last spoke."""
    for message in reversed(messages):
        if any(part.type == "tool_result" for part in message.parts):
            return True
        if message.role == "user":
            return False
    return False
