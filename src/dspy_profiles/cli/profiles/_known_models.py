"""The providers that `init` offers, with some of their models."""

from dataclasses import dataclass
from typing import Any

__all__ = ["PROVIDERS", "Provider", "provider_of"]


@dataclass(frozen=True)
class Provider:
    """A provider: what to ask about it, and which sections to write."""

    name: str
    help: str
    prefix: str = ""  # of its models' names
    models: tuple[str, ...] = ()
    variable: tuple[str, ...] = ()  # its usual name
    api_base: tuple[str, ...] = ()  # the usual one; empty if DSPy knows the address
    has_model: bool = True
    other_prefixes: tuple[str, ...] = ()

    def ask_model(self) -> str:
        """Return the question for a model."""
        others = ", ".join(self.models[1:])
        return f"Model (or {others}, or any other)" if others else "Model"

    def table(
        self, model: str | None, api_base: str | None, variable: str | None
    ) -> dict[str, Any]:
        """Return the profile's sections."""
        if not self.has_model:
            return {"provider": {"class": self.name}}
        lm = {"model": self._full(str(model))}
        if api_base:
            lm["api_base"] = api_base
        if variable:
            lm["api_key"] = f"${{{variable}}}"
        return {"lm": lm}

    def _full(self, model: str) -> str:
        known = (self.prefix, *self.other_prefixes)
        return model if model.startswith(known) else f"{self.prefix}{model}"


PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider(
            "openai",
            "needs a key",
            "openai/",
            ("openai/gpt-4o-mini", "openai/gpt-4o", "openai/o4-mini"),
            ("OPENAI_API_KEY",),
        ),
        Provider(
            "anthropic",
            "needs a key",
            "anthropic/",
            ("anthropic/claude-sonnet-4-5", "anthropic/claude-haiku-4-5"),
            ("ANTHROPIC_API_KEY",),
        ),
        Provider(
            "gemini",
            "needs a key",
            "gemini/",
            ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-pro"),
            ("GEMINI_API_KEY",),
        ),
        Provider(
            "ollama",
            "on this machine, no key",
            "ollama_chat/",
            ("ollama_chat/llama3.2", "ollama_chat/qwen3"),
            api_base=("http://localhost:11434",),
            other_prefixes=("ollama/",),
        ),
        Provider(
            "compatible",
            "a LiteLLM proxy, or any other OpenAI-compatible server",
            "openai/",
            variable=("LITELLM_API_KEY",),
            api_base=("http://localhost:4000",),
            other_prefixes=("litellm_proxy/", "hosted_vllm/"),
        ),
        Provider("mock", "offline, generates answers", has_model=False),
    )
}


def provider_of(model: str) -> Provider:
    """Return the provider of a model. An unknown one gets a key variable of its own name."""
    start = model.partition("/")[0]
    for provider in PROVIDERS.values():
        if provider.prefix.removesuffix("/") == start or f"{start}/" in provider.other_prefixes:
            return provider
    name = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in start.upper())
    if "/" not in model:
        return PROVIDERS["openai"]
    return Provider(start, "", "", (), (f"{name}_API_KEY",))
