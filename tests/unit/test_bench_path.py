"""The parts of `bench path` that need no servers: recorded features, loads, processor time, figures, what is refused."""

import asyncio
import os
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.calibration import Calibration
from bench.floor import HOPS, Fact
from bench.path import load
from bench.path.bare import Floor
from bench.path.cpu import Spent, Used, spent, thread_seconds, used
from bench.path.note import Notebook, noted_ports, read_notes
from bench.path.phase import Landed, Phase
from bench.path.recorded import Recorded, TextNotRecorded, record, store
from bench.path.report import Measured, cores_left, figures, report
from learning.encoding import Vector
from learning.hashed import HashedEncoder
from learning.language import LanguageTagger
from learning.outcomes import Prompt
from smolit.cli import app
from smolit.demo.course import Course
from streams.intake import READERS
from streams.reading import TextReader

TEXTS = ("What is 2 + 2?", "Was ist 2 + 2?", "What is 2 + 2?", "\ud800 alone")
PROMPTS = [Prompt(f"p{number}", "math", "text") for number in range(20)]


def phase(cpu_s: float, encoder_s: float, seconds: float = 10.0, others: float = 0.0) -> Phase:
    """Return a phase that used so much."""
    return Phase(Course(), Spent(seconds, {"all": cpu_s}, others), Landed(1, 1, 1), encoder_s, 0, {}, {})


def test_recorded_features_are_those_that_the_reader_reads(tmp_path: Path) -> None:
    """Written down and looked up, a reading is the very one; each text is encoded once."""
    recording = record(TEXTS, HashedEncoder())
    store(recording, tmp_path / "readings")
    recorded, reader = Recorded.load(tmp_path / "readings"), TextReader(HashedEncoder(), LanguageTagger.load())

    assert [recorded.read(text) for text in TEXTS] == [reader.read(text) for text in TEXTS]
    assert len(recording.readings) == 3
    assert recording.texts_per_s > 0


def test_a_text_that_was_not_recorded_is_refused_by_name() -> None:
    """Nothing is encoded in a run with recorded features, not even by mistake."""
    with pytest.raises(TextNotRecorded):
        Recorded({}).read("new")


def test_where_texts_are_encoded_the_thread_is_noted_and_its_time_known(tmp_path: Path) -> None:
    """The share of the encoder is measured, not guessed: its thread is noted, once, and not the one that does all else."""
    ports = noted_ports(Notebook(tmp_path, "intake", "1"), None)
    reader = ports.texts(lambda: TextReader(HashedEncoder(), LanguageTagger.load()))
    reader.read(TEXTS[0])
    with ThreadPoolExecutor(1) as pool:
        list(pool.map(reader.read, [TEXTS[0] * 20] * 300))
        (note,) = read_notes(tmp_path)
        seconds = thread_seconds(os.getpid(), note.thread)

    assert seconds > 0


@pytest.mark.parametrize(("quick", "threads"), [(True, 1), (False, READERS)])
def test_the_encoder_is_timed_in_as_many_threads_as_intake_has(quick: bool, threads: int) -> None:
    """What it does by itself is timed as intake uses it, and without the first text."""
    encoder, seen = HashedEncoder(), set[int]()
    barrier = threading.Barrier(threads, timeout=30)

    class Slow:
        name, width, digest = encoder.name, encoder.width, encoder.digest
        quick = False

        def encode(self, text: str) -> Vector:
            if text != TEXTS[0]:
                barrier.wait()
                seen.add(threading.get_ident())
            return encoder.encode(text)

    slow = Slow()
    slow.quick = quick
    record([TEXTS[0], "one more text", "and another one"], slow)
    assert len(seen) == threads


def test_recorded_features_take_the_place_of_the_encoder(tmp_path: Path) -> None:
    """With recorded features the encoder is not even opened, and no thread encodes."""
    recording = record(TEXTS, HashedEncoder())
    ports = noted_ports(Notebook(tmp_path, "intake", "1"), lambda: Recorded(recording.readings))

    ports.texts(lambda: pytest.fail("the encoder was opened")).read(TEXTS[0])

    assert read_notes(tmp_path) == []


class Asking:
    """Stands in for a producer: notes how many are under way, and when each question came."""

    def __init__(self) -> None:
        self.under_way, self.most, self.moments = 0, 0, list[float]()

    def monotonic(self) -> float:
        """Return the loop's clock."""
        return asyncio.get_running_loop().time()

    async def ask(self, _asking: "Asking", _prompt: Prompt) -> None:
        """Be answered after a moment."""
        self.moments.append(self.monotonic())
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1


async def test_a_closed_loop_keeps_so_many_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked, never more at a time than wanted."""
    asking = Asking()
    monkeypatch.setattr(load, "ask", asking.ask)
    await load.closed_loop(asking, PROMPTS, 4)  # type: ignore[arg-type]

    assert (len(asking.moments), asking.most) == (20, 4)


async def test_an_open_loop_does_not_wait_for_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are asked at their moments, even if those before were not answered yet."""
    asking = Asking()
    monkeypatch.setattr(load, "ask", asking.ask)
    await load.open_loop(asking, PROMPTS, 2_000.0, random.Random(1))  # type: ignore[arg-type]

    assert len(asking.moments) == 20
    assert asking.most > 4


def test_processor_time_is_the_difference_of_two_looks() -> None:
    """What others used of our cores is what remains of the machine's."""
    found = spent(Used(0.0, {"a": 1.0, "b": 2.0}, 10.0), Used(10.0, {"a": 4.0, "b": 2.5}, 18.5))

    assert found == Spent(10.0, {"a": 3.0, "b": 0.5}, 0.5)
    assert found.total == 3.5


def test_processor_time_of_a_process_is_seen() -> None:
    """A process that works uses time, and so does the machine."""
    before = used({"me": [os.getpid()]}, range(os.cpu_count() or 1))
    while used({"me": [os.getpid()]}, [0]).by["me"] < before.by["me"] + 0.02:
        sum(range(100_000))
    after = used({"me": [os.getpid()]}, range(os.cpu_count() or 1))

    assert after.by["me"] > before.by["me"]
    assert after.machine > before.machine


def measured(others: float) -> Measured:
    """Return a run in which a task cost four times what it costs on the floor, which others kept busy."""
    facts = {hop.name: Fact(hop.name, "", 1, None, (), 1.0, 2.0, 3.0) for hop in HOPS}
    floor, loops = Floor(1, Spent(2.0, {"all": 0.5}, others)), {"then": Calibration(100.0, 90.0)}
    return Measured("recorded", 4, 1, 2, phase(2.0, 0.0), phase(1.0, 0.0), floor, facts, 70.0, loops)


@pytest.mark.parametrize(("others", "quiet"), [(0.0, True), (1.8, False)])
def test_a_run_beside_others_says_so(others: float, quiet: bool) -> None:
    """What others did to the floor alone would flatter us: such a run is marked, with the ratio of processor times beside it."""
    made = report(measured(others))

    assert (made.quiet, made.cpu_ratio, made.ratio) == (quiet, 0.25, 0.2)
    assert any("NOT A QUIET MACHINE" in row for row in figures(made)) is not quiet


@pytest.mark.parametrize(
    ("cpu_s", "encoder_s", "others", "left"),
    [(15.0, 6.0, 0.0, 1.1), (20.0, 6.0, 0.0, 0.6), (20.0, 6.0, 0.5, 0.1), (30.0, 1.0, 0.0, 0.0)],
)
def test_the_encoder_has_the_cores_that_the_rest_leaves(cpu_s: float, encoder_s: float, others: float, left: float) -> None:
    """Of two cores, what neither the rest of ours nor others use; it has two threads, so it can use both."""
    assert cores_left(phase(cpu_s, encoder_s, others=others), 2) == pytest.approx(left)


def test_a_file_in_no_folder_is_refused_before_anything_starts(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A long run must not end in a file that cannot be written."""
    assert app.run(["bench", "path", "--json", str(tmp_path / "none" / "figures.json")]) == app.USAGE
    assert "there is no folder" in capsys.readouterr().err


def test_servers_that_are_not_ours_are_refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's Kafka is filled with made-up work."""
    monkeypatch.setenv("SMOLIT_KAFKA", "somewhere:9092")

    assert app.run(["bench", "path"]) == app.FAILED
    assert "local stack" in capsys.readouterr().err
