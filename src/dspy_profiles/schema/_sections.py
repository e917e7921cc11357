"""The keys of each section of a profile, for checks, JSON Schema and completion."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from dspy_profiles.profiles import SECTIONS, SectionShape
from dspy_profiles.schema._cache import descriptor as installed

__all__ = [
    "HAVE_SECTIONS",
    "PASSED_ON",
    "Shape",
    "every_key",
    "known_keys",
    "near_miss",
    "shape_of",
    "users_settings",
]

Description = Mapping[str, Any]

_STRING = {"kind": "string"}
_NUMBER = {"kind": "number"}
_INTEGER = {"kind": "integer"}
_BOOLEAN = {"kind": "boolean"}
_TABLE = {"kind": "table", "values": {"kind": "any"}}
_LIST = {"kind": "list", "items": {"kind": "any"}}
_STRINGS = {"kind": "list", "items": _STRING}


def _one_of(*kinds: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "union", "of": [dict(kind) for kind in kinds]}


def _each(kind: Mapping[str, Any], names: str) -> dict[str, Mapping[str, Any]]:
    return dict.fromkeys(names.split(), kind)


_CLIENT: dict[str, Mapping[str, Any]] = {
    **_each(_STRING, "api_key api_base base_url api_version api_type organization project"),
    **_each(_STRING, "custom_llm_provider user azure_ad_token tenant_id client_id client_secret"),
    **_each(_STRING, "aws_access_key_id aws_secret_access_key aws_session_token aws_region_name"),
    **_each(_STRING, "aws_profile_name aws_role_name aws_session_name region_name"),
    **_each(_STRING, "aws_bedrock_runtime_endpoint vertex_project vertex_location"),
    **_each(_TABLE, "headers extra_headers extra_query extra_body metadata model_info"),
    **_each(_one_of(_NUMBER, _TABLE), "timeout request_timeout stream_timeout"),
    **_each(_one_of(_BOOLEAN, _STRING), "ssl_verify"),
    **_each(_one_of(_STRING, _TABLE), "vertex_credentials"),
    **_each(_INTEGER, "max_retries"),
    **_each(_BOOLEAN, "drop_params"),
    **_each(_STRINGS, "additional_drop_params allowed_openai_params tags"),
    **_each({"kind": "callable"}, "azure_ad_token_provider"),
}

# Not parameters of the class, but of the functions that it forwards **kwargs to.
PASSED_ON: dict[str, dict[str, Mapping[str, Any]]] = {
    "lm": {
        **_CLIENT,
        **_each(_NUMBER, "top_p min_p top_a presence_penalty frequency_penalty"),
        **_each(_NUMBER, "repetition_penalty length_penalty"),
        **_each(_NUMBER, "input_cost_per_token output_cost_per_token"),
        **_each(_INTEGER, "n best_of seed top_k top_logprobs rollout_id num_ctx num_predict"),
        **_each(_INTEGER, "min_tokens max_completion_tokens max_output_tokens max_new_tokens"),
        **_each(_BOOLEAN, "stream store parallel_tool_calls caching echo"),
        **_each(_one_of(_BOOLEAN, _INTEGER), "logprobs"),
        **_each(_one_of(_STRING, _STRINGS), "stop stop_sequences"),
        **_each(_one_of(_STRING, _TABLE), "reasoning_effort response_format tool_choice"),
        **_each(_one_of(_STRING, _TABLE), "mock_response"),
        **_each(_one_of(_STRING, _NUMBER), "keep_alive"),
        **_each(
            _STRING,
            "service_tier safety_identifier verbosity truncation suffix base_model deployment_id",
        ),
        **_each(_TABLE, "thinking reasoning logit_bias stream_options web_search_options text"),
        **_each(_TABLE, "prediction audio"),
        **_each(_LIST, "tools functions modalities fallbacks include stop_token_ids"),
        **_each(_LIST, "cache_control_injection_points safety_settings"),
    },
    "embedder": {
        **_CLIENT,
        **_each(_INTEGER, "dimensions"),
        **_each(_STRING, "encoding_format input_type truncate task_type"),
    },
}


# Keys of `dspy.settings` that have sections of their own in a profile.
HAVE_SECTIONS = frozenset({"lm", "rm", "adapter"})


class Shape(NamedTuple):
    """The keys of a section, and the name of the class that takes them."""

    title: str
    known: Mapping[str, Mapping[str, Any]]  # name -> parameter
    passed_on: Mapping[str, Mapping[str, Any]] = {}  # name -> type
    open: bool = False  # other keys are accepted too
    read: bool = True  # `known` has every named key

    def type_of(self, key: str) -> Mapping[str, Any] | None:
        if key in self.known:
            kind: Mapping[str, Any] = self.known[key]["type"]
            return kind
        return self.passed_on.get(key)

    def names(self) -> list[str]:
        return sorted({*self.known, *self.passed_on})


def shape_of(description: Description | None, title: str, section: str = "") -> Shape:
    """Return the shape of a section whose keys are the arguments of a class."""
    passed_on = PASSED_ON.get(section, {})
    if description is None:
        return Shape(title, {}, passed_on, open=True, read=False)
    known = {p["name"]: p for p in description["parameters"] if _by_name(p)}
    passed_on = {k: v for k, v in passed_on.items() if k not in known}
    passed_on = passed_on if description["open"] else {}
    return Shape(title, known, passed_on, open=description["open"], read=description["read"])


def users_settings(descriptor: Description) -> dict[str, Mapping[str, Any]]:
    """Return the settings that are not internal to DSPy."""
    return {key: one for key, one in descriptor["settings"].items() if not one["internal"]}


def known_keys(section: str, descriptor: Description | None = None) -> list[str]:
    """Return the keys of a section (`lm`, `lms.teacher`, `settings`), for completion.

    The empty string means the profile itself.
    """
    described = installed() if descriptor is None else descriptor
    top = section.partition(".")[0]
    if not section:
        return list(SECTIONS)
    if top == "settings":
        return sorted(users_settings(described).keys() - HAVE_SECTIONS)
    if top in {"lm", "lms", "embedder"}:
        kind = "embedder" if top == "embedder" else "lm"
        return shape_of(described["classes"].get(described[kind]), kind, kind).names()
    keys_of = {"rm": "retrievers", "adapter": "adapters"}.get(top)
    classes = [described["classes"][n] for n in described[keys_of]] if keys_of else []
    names = {key for each in classes for key in shape_of(each, "").known}
    return sorted(names | ({"class"} if top in {"rm", "adapter", "provider"} else set()))


def every_key() -> list[str]:
    """Return every key of a profile, with its section, for completion."""
    inner = [name for name, section in SECTIONS.items() if section.shape is SectionShape.TABLE]
    plain = [name for name in SECTIONS if name in ("extends", "description")]
    return [*plain, *(f"{section}.{key}" for section in inner for key in known_keys(section))]


def near_miss(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is a typo of (a letter or two, case, dash), or None."""
    plain = _plain(word)
    best: tuple[int, str] | None = None
    for each in known:
        other = _plain(each)
        shortest = min(len(plain), len(other))
        allowed = 0 if shortest <= 3 else 1 if shortest <= 7 else 2  # noqa: PLR2004
        if abs(len(plain) - len(other)) <= allowed:
            slips = _slips(plain, other)
            if slips <= allowed and (best is None or (slips, each) < best):
                best = slips, each
    return None if best is None else best[1]


def _plain(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def _slips(one: str, other: str) -> int:
    """Count the letters that are missing, added, changed or swapped with the next."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
    return row[-1]


def _by_name(parameter: Mapping[str, Any]) -> bool:
    return parameter["kind"] in {"POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY"}
