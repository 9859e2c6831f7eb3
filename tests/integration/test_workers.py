"""Workers with models on a real stack: a file goes in by the command line, and what a model read out of it comes back."""

import base64
import io
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench.agents.invoice import drawn, invoice, worn
from bench.agents.ocr import date_of, judged, total_of
from smolit.cli import app
from smolit.settings import Settings
from smolit.stack import local
from tests.processes import all_running
from tests.said import Said, Smolit, command_line, until

PAPER = invoice(random.Random(11))
SPECS = {
    "strict": "id: strict\ndescription: Reads what is clear.\nskills: [page]\npipeline: ocr\nsettings: {least_confidence: 0.5}\n",
    "mild": "id: mild\ndescription: Reads anything.\nskills: [page]\npipeline: ocr\n",
}


@pytest.fixture(scope="module")
def settings(stack: local.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All processes."""
    with all_running(stack, tmp_path_factory.mktemp("workers"), task_deadline_s="200") as running:
        yield running


@pytest.fixture
def smolit(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Smolit:
    """The command line, as a function."""
    return command_line(capsys)


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A scanned invoice."""
    path = tmp_path / "scan.jpg"
    path.write_bytes(worn(drawn(PAPER), "noisy", np.random.default_rng(11)))
    return path


def test_an_invoice_is_read_and_its_entities_are_found(smolit: Smolit, scan: Path) -> None:
    """Total and date come out exactly; the next worker finds them in the text; both name their models."""
    read = smolit("task", "submit", "--kind", "ocr", "--file", str(scan), "--wait", "--json")
    text = read.json["output"]["text"]
    found = smolit("task", "submit", text, "--kind", "entities", "--wait", "--json")
    shown = until(
        lambda: smolit("task", "show", read.json["task_id"], "--json"),
        lambda said: said.code == 0 and any(one["outcome"] for one in said.json["attempts"]),
    )

    assert (total_of(text), date_of(text)) == (PAPER.total, date_of(PAPER.date))
    reading = judged(PAPER, text, 0.0)
    assert reading.errors / reading.characters <= 0.03
    kinds = {one["kind"]: one["text"] for one in found.json["output"]["entities"]}
    assert date_of(kinds["date"]) == date_of(PAPER.date)
    assert "PP-OCRv6" in json.dumps(shown.json["attempts"])


def test_texts_are_judged_and_summarized(smolit: Smolit, tmp_path: Path) -> None:
    """The worker opens the sentence encoder for all three; each answer is by a model."""
    asked = {
        "sentiment": "Wonderful service, I am delighted.",
        "classify": "Which article of the constitution lets a court review a statute?",
        "summary": "The pump failed. It will be replaced in May. Lunch was late. Lunch was cold. The pump is old.",
    }
    batch = tmp_path / "batch.jsonl"
    batch.write_text("\n".join(json.dumps({"text": text, "kind": kind, "agent": kind}) for kind, text in asked.items()))

    said = smolit("task", "submit", "--batch", str(batch), "--wait", "--json")
    outputs = {one["agent"]: one["output"] for one in map(json.loads, said.out.splitlines())}

    assert (outputs["sentiment"]["label"], outputs["classify"]["label"]) == ("positive", "law"), said
    assert [one["text"] in asked["summary"] for one in outputs["summary"]["sentences"]] == [True] * 3


def test_what_is_no_picture_is_refused_before_anybody_is_chosen(smolit: Smolit, tmp_path: Path) -> None:
    """By intake where the bytes do not fit the kind, by the worker where they are of a kind that it cannot read."""
    path = tmp_path / "batch.jsonl"
    fake = {"name": "a.png", "media_type": "image/png", "content": "aGVsbG8="}
    path.write_text(json.dumps({"text": "x", "kind": "ocr", "files": [fake]}))
    note = tmp_path / "note.txt"
    note.write_text("hello")

    refused = smolit("task", "submit", "--batch", str(path), "--wait")
    failed = smolit("task", "submit", "--kind", "ocr", "--file", str(note), "--wait")

    assert (refused.code, "file_not_what_it_says" in refused.err) == (1, True), refused
    assert (failed.code, "note.txt is neither an image nor a PDF" in failed.err) == (1, True), failed


def test_a_large_file_is_stored_first_and_then_named(smolit: Smolit, tmp_path: Path) -> None:
    """The command line says so, and what it proposes works."""
    grain = np.random.default_rng(1).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    Image.fromarray(grain).save(large)
    small.write_bytes(blank())

    told = smolit("task", "submit", "--kind", "ocr", "--file", str(large))
    stored = smolit("blob", "put", str(small), "--json")
    named = f"small.png={stored.json['sha256']}"
    done = smolit("task", "submit", "--kind", "ocr", "--stored", named, "--wait", "--json")

    assert (told.code, "smolit blob put large.png" in told.err) == (2, True), told
    assert [(one["file"], one["source"]) for one in done.json["output"]["pages"]] == [("small.png", "blank")]


def test_what_a_check_rejects_goes_to_another_agent(smolit: Smolit, tmp_path: Path) -> None:
    """A blank page is too unsure for the strict one; whoever is first, the task is done by the other."""
    for name, content in SPECS.items():
        (tmp_path / f"{name}.yaml").write_text(content)
        assert app.run(["agent", "register", str(tmp_path / f"{name}.yaml")]) == 0

    def asked() -> Said:
        """Return the answers to a batch; with who comes first left to chance, one of them nearly always was the strict one's."""
        return smolit("task", "submit", "--batch", str(batch), "--wait", "--json")

    def told_of(said: Said) -> list[Any]:
        """Return what is known of the tasks, each over."""
        tasks = [json.loads(line)["task_id"] for line in said.out.splitlines()]
        return [
            until(
                lambda task=task: smolit("task", "show", task, "--json"),  # type: ignore[misc]
                lambda told: told.code == 0 and bool(told.json["task"]["ended_at"]),
            ).json
            for task in tasks
        ]

    (tmp_path / "blank.png").write_bytes(blank())
    stored = smolit("blob", "put", str(tmp_path / "blank.png"), "--json").json["sha256"]
    file = {"name": "blank.png", "media_type": "image/png", "content": base64.b64encode(blank()).decode()}
    batch = tmp_path / "batch.jsonl"
    batch.write_text("\n".join(json.dumps({"text": f"page {number}", "kind": "page", "files": [file]}) for number in range(8)))

    warm = ("task", "submit", "--kind", "page", "--stored", f"blank.png={stored}", "--agent", "mild", "--wait")
    until(lambda: smolit(*warm), lambda said: said.code == 0)  # the worker knows the agent, and has loaded what it reads with
    said = until(asked, lambda said: "implausible" in json.dumps(told_of(said)))
    assert said.code == 0, said
    answers = [json.loads(line) for line in said.out.splitlines()]

    told = {(one["agent"], one["output"]["text"], one["output"]["confidence"]) for one in answers}
    assert (len(answers), told) == (8, {("mild", "", 0.0)})


def blank() -> bytes:
    """Return a page on which nothing stands."""
    buffer = io.BytesIO()
    Image.new("L", (120, 80), 255).save(buffer, "PNG")
    return buffer.getvalue()
