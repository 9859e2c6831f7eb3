"""A prompt as bytes: what is stored once by its hash, what the cache is keyed by, and how many tokens it may be."""

import hashlib

import msgspec

from agents.port import Ask
from events.ids import derived_id

_BYTES_A_TOKEN = 3  # English has about four, other languages fewer: an estimate that rather counts too many
_TOKENS_A_MESSAGE = 8


def written(ask: Ask) -> bytes:
    """Return everything that an answer depends on but the model, as JSON with sorted keys."""
    told = {
        "messages": [{"role": one.role, "content": one.content} for one in ask.messages],
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "schema": ask.schema,
    }
    return msgspec.json.encode(told, order="sorted")


def digest(content: bytes) -> str:
    """Return a sha256, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def call_key(ask: Ask, prompt_sha256: str) -> str:
    """Return the key under which a back end knows a call: the same attempt asking the same again has the same."""
    return derived_id("llm", ask.tenant, ask.task_id, ask.attempt, ask.purpose, prompt_sha256)


def cache_key(ask: Ask, prompt_sha256: str, model: str, url: str) -> str:
    """Return under what an answer is cached: tenant, agent, prompt, and the very model that gave it."""
    return digest(msgspec.json.encode([ask.tenant, prompt_sha256, model, url]))


def estimate(texts: list[str]) -> int:
    """Return about how many tokens texts are, rather too many than too few."""
    return sum(-(-len(text.encode()) // _BYTES_A_TOKEN) + _TOKENS_A_MESSAGE for text in texts)
