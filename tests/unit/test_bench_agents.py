"""The measures of agents: the list, the page that it writes, and verdicts."""

import pytest

from agents.catalog import PIPELINES
from agents.spec import load
from bench.agents.command import PAGE, chosen, measured
from bench.agents.compared import Metric, compared
from bench.agents.figure import Figure
from bench.agents.report import BEGIN, Report, replaced, section, verdict
from bench.agents.table import MEASURES, Measure
from bench.spread import Range
from smolit.errors import UsageInvalid
from smolit.process.prepare import SPECS
from smolit.settings import PROJECT

EXAMPLES = PROJECT / "examples" / "models"
LOW, MIDDLE, HIGH = Range(0.2, 0.1, 0.3), Range(0.35, 0.25, 0.45), Range(0.8, 0.7, 0.9)


def figure(value: Range, baseline: Range | None = LOW, better: str = "higher", ahead: Range | None = None) -> Figure:
    """Return a figure."""
    return Figure("w", "m", "share", better, value, "data", 10, "b" if baseline else None, baseline, "", ahead)  # type: ignore[arg-type]


def test_every_measure_is_about_pipelines_and_agents_that_exist() -> None:
    """A name that nobody has would be a figure of nothing; what the page says of workers is what is listed."""
    names = {pipeline.name for pipeline in PIPELINES}
    specs = (*load(SPECS), *load(EXAMPLES))
    page = PAGE.read_text(encoding="utf-8")

    for one in MEASURES:
        assert set(one.pipelines) <= names
        assert not one.pipelines or any(spec.pipeline in one.pipelines for spec in specs)
        workers = (one.name, *one.pipelines)
        assert any(f"### {worker}\n" in page for worker in workers), f"docs/agents.md has no figures of {one.name}"
    assert {one.name for one in MEASURES} >= {"ocr", "entities", "sentiment", "classify", "summary"}


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (figure(HIGH), "better"),
        (figure(MIDDLE), "not told apart"),
        (figure(LOW, HIGH), "worse"),
        (figure(LOW, HIGH, "lower"), "better"),
        (figure(HIGH, None), "no baseline"),
        (figure(MIDDLE, ahead=Range(0.15, 0.05, 0.2)), "better"),
        (figure(MIDDLE, ahead=Range(0.15, -0.05, 0.2)), "not told apart"),
        (figure(LOW, MIDDLE, "lower", Range(-0.15, -0.2, -0.05)), "better"),
    ],
)
def test_a_verdict_says_no_more_than_the_intervals(shown: Figure, said: str) -> None:
    """Whichever direction is the better one; a difference that was drawn together decides where it is known."""
    assert verdict(shown) == said


def test_two_are_compared_on_the_same_documents() -> None:
    """Where one is ahead by as much on each document, the difference has no spread, however much the documents differ."""
    ours, theirs = [0.5, 0.7, 0.9, 0.3], [0.4, 0.6, 0.8, 0.2]
    made = compared(Metric("w", "m", "data", "b"), ours, theirs, lambda some: sum(some) / len(some), seed=1)

    assert made.ahead is not None
    assert (made.ahead.low, made.ahead.high) == (pytest.approx(0.1), pytest.approx(0.1))
    assert (verdict(made), made.n) == ("better", 4)


def test_the_page_keeps_what_people_wrote() -> None:
    """Only the part between the marks is made anew; a page without marks is refused."""
    report = Report(1, (figure(HIGH),), {}, 0.1)
    made = replaced(f"before\n{section(Report(1, (), {}, 0.1))}\nafter", report)

    assert made.startswith(f"before\n{BEGIN}")
    assert made.endswith("\nafter")
    assert "| m | 0.8 [0.7, 0.9] | 0.2 [0.1, 0.3] (b) | better | data (n = 10) |" in made
    assert replaced(made, report) == made
    with pytest.raises(ValueError, match="no generated part"):
        replaced("nothing", report)


def test_one_is_measured_by_its_name() -> None:
    """An unknown one is refused with those that there are; none named means all."""
    assert [one.name for one in chosen(["ocr", "ocr"])] == ["ocr"]
    assert chosen([]) == list(MEASURES)
    with pytest.raises(UsageInvalid, match="there are ocr, entities"):
        chosen(["nonsense"])


def test_what_breaks_does_not_hide_the_others() -> None:
    """It is told by name, and the rest is measured."""
    report = measured([Measure("gone", (), "bench.agents.gone"), Measure("summary", ("summary",), "bench.agents.summary")], 1)

    assert list(report.failed) == ["gone"]
    assert {one.worker for one in report.figures} == {"summary"}
