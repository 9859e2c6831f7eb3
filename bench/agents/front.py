"""How well the front agent tells tasks from talk, on labelled sentences that it was not fitted on, English and German.

`python -m bench.agents.front` prints it. Baseline: what has a question mark or a digit, or begins with a command, is a task.
"""

import re
from pathlib import Path

import msgspec

from agents.front.sort import Sorter, labelled
from bench.agents.figure import Figure
from bench.spread import bootstrapped, mean
from learning.static import StaticEncoder

DATA = Path(__file__).parent / "data" / "task_or_talk.tsv"
_KEYWORDS = re.compile(
    r"\?|\d|^(calculate|compute|find|extract|translate|summari[sz]e|classify|list|sort|count|convert|compare|write|give|show|explain)\b",
    re.IGNORECASE,
)


def measure(seed: int) -> list[Figure]:
    """Return the accuracy of both, with intervals by bootstrap."""
    examples = labelled(DATA.read_text(encoding="utf-8"))
    sorter = Sorter.load(StaticEncoder.load().encode)
    ours = [float(sorter.sort(text).sort == label) for label, text in examples]
    words = [float(("task" if _KEYWORDS.search(text) else "talk") == label) for label, text in examples]
    return [
        Figure(
            worker="front",
            metric="task or talk, accuracy",
            unit="share",
            better="higher",
            value=bootstrapped(ours, mean, seed),
            data="bench/agents/data/task_or_talk.tsv: written by hand for this; no sentence is in agents/front/utterances.tsv",
            n=len(examples),
            baseline="a question mark, a digit or a command word makes it a task",
            baseline_value=bootstrapped(words, mean, seed),
            asked="better than the baseline",
        )
    ]


if __name__ == "__main__":
    print(msgspec.json.format(msgspec.json.encode(measure(seed=1)), indent=2).decode())
