"""Measure which raw features help: ridge heads on contexts made of different parts (docs/decisions/003-context-map.md).

Run: python -m bench.context_parts --source FOLDER --encoder FOLDER [--cache FOLDER] [--splits 8]
Projections are fitted without scores and without the demo's questions. For each split by a hash of the text, ridge heads
learn from all agents' scores of n prompts; the figure is the mean score of the agent they like best on held-out prompts
(30 %), minus that of the best single agent on the same n prompts, times 1000. One ridge strength serves all sets and n.
"""

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.fit_projection import SETS, fit_scales, normal, principal_axes, prompts_to_fit, raw_features, read_prompts
from bench.make_sample import MID9, SAMPLE_SET
from learning.encoder import Encoder
from learning.features import spread
from learning.hashed import HashedEncoder, signed_buckets, word_grams
from learning.outcomes import Outcomes
from learning.text import readable

Array = NDArray[np.float64]
Recipe = dict[str, int]

RECIPES: dict[str, Recipe] = {
    "embedding 64": {"embedding": 64},
    "hashed words 64": {"hashed": 64},
    "named 52": {"named": 52},
    "pattern 64": {"pattern": 64},
    "embedding 32 + named 32": {"embedding": 32, "named": 32},
    "embedding 32 + named 52": {"embedding": 32, "named": 52},
    "embedding 32 + pattern 32": {"embedding": 32, "pattern": 32},
    "embedding 24 + named 16 + words/512 24": {"embedding": 24, "named": 16, "words512": 24},
    "embedding 24 + named 16 + words/4096 24": {"embedding": 24, "named": 16, "words4096": 24},
    "embedding 24 + named 16 + pattern 24 (shipped)": {"embedding": 24, "named": 16, "pattern": 24},
    "embedding 16 + named 16 + pattern 16 + words/512 16": {"embedding": 16, "named": 16, "pattern": 16, "words512": 16},
    "hashed 24 + named 16 + pattern 24 (shipped floor)": {"hashed": 24, "named": 16, "pattern": 24},
}
REFERENCE = "embedding 32 + named 32"
STRENGTHS = (10.0, 20.0, 40.0, 80.0)
SIZES = (150, 500, 1500, None)  # None: every prompt that is not held out
DRAWS = 3
HELD_OUT = 77  # of 256


@dataclass(frozen=True)
class Pool:
    """The prompts of a set, as rows of the joined texts, and every agent's score on them."""

    name: str
    rows: NDArray[np.int64]
    scores: Array


def read_pools(source: Path, texts: list[str]) -> list[Pool]:
    """Return llmrouter with all agents, mmlupro with nine, and the demo's questions, which no projection has seen."""
    sets = {name: Outcomes.load(source, name) for name in SETS}
    sets[SAMPLE_SET] = Outcomes.load(Path(__file__).parent / "data", SAMPLE_SET)
    at = {prompt.prompt_id: row for row, prompt in enumerate([p for name in SETS for p in sets[name].prompts])}
    pools = []
    for name, outcomes in sets.items():
        models = outcomes.models if name == SETS[0] else MID9
        scores = [[outcomes.outcome(prompt.prompt_id, model).score for model in models] for prompt in outcomes.prompts]
        pools.append(Pool(name, np.array([at[prompt.prompt_id] for prompt in outcomes.prompts]), np.array(scores)))
    assert len(at) == len(texts)
    return pools


def words(texts: list[str], width: int) -> Array:
    """Return hashed words, pairs and characters of each text in `width` buckets."""
    return np.array([signed_buckets(word_grams(readable(text).lower()), width) for text in texts], dtype=np.float64)


def read_parts(texts: list[str], fitted: NDArray[np.bool_], options: argparse.Namespace) -> dict[str, Array]:
    """Return the raw parts, spread as the context map does and centred on the prompts of the fit."""
    embeddings, forms = raw_features(texts, Encoder.load(options.encoder), options.cache)
    embedding, named, pattern = spread(embeddings, forms, fit_scales(forms[fitted]))
    parts = {"embedding": embedding, "named": named, "pattern": pattern}
    parts |= {"hashed": words(texts, HashedEncoder.width), "words512": words(texts, 512), "words4096": words(texts, 4096)}
    return {name: part - part[fitted].mean(axis=0) for name, part in parts.items()}


def context(recipe: Recipe, parts: dict[str, Array], fitted: NDArray[np.bool_]) -> Array:
    """Project and join the parts of a recipe; mean squared norm 1 over the prompts of the fit."""
    pieces = [parts[name] @ principal_axes(parts[name][fitted], count).T for name, count in recipe.items()]
    joined: Array = np.concatenate(pieces, axis=1) / np.sqrt(len(recipe))
    return joined


def chosen_scores(contexts: Array, scores: Array, taught: NDArray[np.int64], held: NDArray[np.int64]) -> Array:
    """Return, for each strength, the mean held-out score of the agent that ridge heads like best."""
    centre, means = contexts[taught].mean(axis=0), scores[taught].mean(axis=0)
    rows = contexts[taught] - centre
    values, vectors = np.linalg.eigh(rows.T @ rows)
    targets = vectors.T @ (rows.T @ (scores[taught] - means))
    asked = (contexts[held] - centre) @ vectors
    chosen = [(means + asked @ (targets / (values + strength)[:, None])).argmax(axis=1) for strength in STRENGTHS]
    return np.array([scores[held, choice].mean() for choice in chosen])


def gains(contexts: dict[str, Array], pool: Pool, texts: list[str], split: int) -> Array:
    """Return gains over the best single agent, shape (recipes, sizes, strengths), for one split of one pool."""
    held = np.array([hashlib.sha256(f"{split}\n{texts[row]}".encode()).digest()[0] < HELD_OUT for row in pool.rows])
    taught, asked = np.flatnonzero(~held), np.flatnonzero(held)
    generator = np.random.default_rng(split)
    total = np.zeros((len(contexts), len(SIZES), len(STRENGTHS)))
    for at, size in enumerate(SIZES):
        for _ in range(DRAWS):
            drawn = generator.permutation(taught)[:size]
            single = pool.scores[asked, pool.scores[drawn].mean(axis=0).argmax()].mean()
            for index, every in enumerate(contexts.values()):
                total[index, at] += chosen_scores(every[pool.rows], pool.scores, drawn, asked) - single
    return total / DRAWS


def table(results: Array, pools: list[Pool]) -> list[str]:
    """Return the rows of the table; `results` has shape (splits, pools, recipes, sizes, strengths)."""
    strengths = results[:, :2].mean(axis=(0, 1, 3)).argmax(axis=1)
    best = np.stack([results[:, :, at, :, strength] for at, strength in enumerate(strengths)], axis=2) * 1000
    overall = best[:, :2].mean(axis=(1, 3))
    against = overall - overall[:, [list(RECIPES).index(REFERENCE)]]
    spread_of_means = against.std(axis=0, ddof=1) / np.sqrt(len(against))
    lines = [f"| recipe | strength | {' | '.join(pool.name for pool in pools)} | mean of the first two | against {REFERENCE} |"]
    lines.append("|" + "---|" * (len(pools) + 4))
    for at, name in enumerate(RECIPES):
        cells = [" / ".join(f"{value:.1f}" for value in best[:, pool, at].mean(axis=0)) for pool in range(len(pools))]
        paired = f"{against[:, at].mean():+.1f} +- {spread_of_means[at]:.1f}"
        lines.append(
            f"| {name} | {STRENGTHS[strengths[at]]:.0f} | {' | '.join(cells)} | {overall[:, at].mean():.1f} | {paired} |"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of the full routing data")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the built encoder")
    parser.add_argument("--cache", type=Path, help="folder that remembers embeddings between runs")
    parser.add_argument("--splits", type=int, default=8)
    options = parser.parse_args()
    texts = read_prompts(options.source, SETS)
    allowed = set(prompts_to_fit(options.source, Path(__file__).parent / "data"))
    fitted = np.array([text in allowed for text in texts])
    parts = read_parts(texts, fitted, options)
    contexts = {name: context(recipe, parts, fitted) for name, recipe in RECIPES.items()}
    keys, pools = [normal(text) for text in texts], read_pools(options.source, texts)
    results = [[gains(contexts, pool, keys, split) for pool in pools] for split in range(options.splits)]
    print("\n".join(table(np.array(results), pools)))


if __name__ == "__main__":
    main()
