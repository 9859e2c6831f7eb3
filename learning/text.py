"""What every reader of task texts agrees on: how much of a text counts, and that it can be encoded."""

MAX_CHARS = 8192  # far beyond 128 tokens of prose; bounds the work for a text of any size


def readable(text: str) -> str:
    """Return the part of `text` that features are made of: at most `MAX_CHARS` characters, lone surrogates replaced by U+FFFD."""
    head = text[:MAX_CHARS]
    return head.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
