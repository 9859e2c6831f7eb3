"""Draw the demo's 2,000 questions and their nine recorded outcomes out of the full routing data.

Run: python -m bench.make_sample --source FOLDER   (the folder with mmlupro.prompts.csv.gz and mmlupro.scores.csv.gz)
The order is that of sha256(seed, prompt id), so the same data gives the same sample on any machine.
"""

import argparse
import csv
import gzip
import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

SEED = "smolit-sample-1"
SIZE = 2000
SOURCE_SET, SAMPLE_SET = "mmlupro", "mmlupro_mid9"
MID9 = (
    "jamba-1.5-large",
    "Qwen1.5-110B",
    "Qwen1.5-72B-Chat",
    "Yi-34B",
    "mathstral-7B",
    "Mixtral-8x7B-Instruct-v0.1",
    "Phi-3-mini-4k-instruct",
    "Meta-Llama-3_1-8B-Instruct",
    "c4ai-command-r-v01",
)

Row = list[str]


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a gzipped CSV file, the header first."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as stream:
        yield from csv.reader(stream)


def pack(rows: Iterable[Row]) -> bytes:
    """Return the rows as gzipped CSV whose bytes do not depend on the time."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)


def place(prompt_id: str) -> str:
    """Return where a prompt stands in the drawn order."""
    return hashlib.sha256(f"{SEED}\n{prompt_id}".encode()).hexdigest()


def draw_prompts(rows: Iterable[Row]) -> list[Row]:
    """Return the header and the drawn prompts in their drawn order."""
    header, *prompts = rows
    return [header, *sorted(prompts, key=lambda row: place(row[0]))[:SIZE]]


def draw_scores(rows: Iterable[Row], prompts: list[Row]) -> list[Row]:
    """Return the header and the outcomes of the nine models on the drawn prompts, prompt by prompt."""
    header, *scores = rows
    rank = {row[0]: at for at, row in enumerate(prompts)}
    kept = [row for row in scores if row[0] in rank and row[1] in MID9]
    return [header, *sorted(kept, key=lambda row: (rank[row[0]], MID9.index(row[1])))]


def make_sample(source: Path) -> dict[str, bytes]:
    """Return file name -> content of the sample."""
    prompts = draw_prompts(read_rows(source / f"{SOURCE_SET}.prompts.csv.gz"))
    scores = draw_scores(read_rows(source / f"{SOURCE_SET}.scores.csv.gz"), prompts[1:])
    return {f"{SAMPLE_SET}.prompts.csv.gz": pack(prompts), f"{SAMPLE_SET}.scores.csv.gz": pack(scores)}


def main() -> None:
    """Write the sample into `bench/data`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, required=True, help="folder of the full routing data")
    parser.add_argument("--target", type=Path, default=Path(__file__).parent / "data")
    options = parser.parse_args()
    for name, content in make_sample(options.source).items():
        (options.target / name).write_bytes(content)
        print(f"{options.target / name}: {len(content)} bytes")


if __name__ == "__main__":
    main()
