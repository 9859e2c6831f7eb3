"""The most telling sentences of a long talk, in their order: those that share most with all the others.

Extractive, after LexRank's degree centrality (Erkan and Radev 2004, https://arxiv.org/abs/1109.2128), over shared words: it
invents nothing, and needs no model.
"""

import re
from collections.abc import Sequence

from agents.context import Count

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w{3,}")


def summary(texts: Sequence[str], most: int, count: Count) -> str:
    """Return sentences worth at most so many tokens, in the order in which they were said."""
    sentences = [one.strip() for text in texts for one in _SENTENCE.findall(text) if one.strip()]
    words = [set(_WORD.findall(one.lower())) for one in sentences]
    weight = [_centrality(place, words) for place in range(len(sentences))]
    kept: set[int] = set()
    left = most
    for place in sorted(range(len(sentences)), key=lambda place: (-weight[place], -place)):
        size = count(sentences[place])
        if size <= left and sentences[place] not in {sentences[one] for one in kept}:
            kept.add(place)
            left -= size
    return " ".join(sentences[place] for place in sorted(kept))


def _centrality(place: int, words: Sequence[set[str]]) -> float:
    """Return how much a sentence shares with the others, as a mean of Jaccard indexes."""
    mine = words[place]
    shared = [len(mine & other) / len(mine | other) for number, other in enumerate(words) if number != place and mine | other]
    return sum(shared) / len(shared) if shared else 0.0
