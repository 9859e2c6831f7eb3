"""An agent's output as people read it, and as a plan's next step gets it."""

from typing import Any

import pytest

from agents.told import lines, passed_on, said, sources

CITED = {"quote": "Sixty days.", "title": "Leases", "version": 2, "chunk": 7}
REPORT = "# Report: text\n\n" + "All is well. " * 500


@pytest.mark.parametrize(
    ("output", "read"),
    [
        ("x", "x"),
        ({"expression": "6 * 7", "value": "42", "exact": True}, "42"),
        ({"label": "positive", "confidence": 0.94, "chances": {"positive": 0.94}}, "positive (94% sure)"),
        ({"report": REPORT, "outcome": "completed", "steps": [{"step": "a"}]}, REPORT),
        ({"answer": {"value": "42"}, "outcome": "completed"}, "42"),
        ({"answer": "Sixty days.", "citations": [CITED]}, 'Sixty days.\n> "Sixty days." (Leases, version 2, passage 7)'),
        ({"columns": ["month", "n"], "rows": [["Jan", 3]]}, "| month | n |\n|---|---|\n| Jan | 3 |"),
        ({"score": 1, "flag": None}, "- score: 1"),
        ([1, 2], "- 1\n- 2"),
        (None, "null"),
    ],
)
def test_an_output_is_told_as_people_read_it(output: Any, read: str) -> None:
    """What it is about, whole and with its sources; a table as one; anything else line by line, never as JSON."""
    assert said(output) == read


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ({"expression": "6 * 7", "value": "42", "exact": True}, "6 * 7 = 42"),
        ({"expression": "1 / 7", "value": "0.142857", "exact": False}, "1 / 7 ≈ 0.142857"),
        ({"label": "positive", "compound": 0.67, "language": "en"}, "**positive**"),
    ],
)
def test_a_sum_and_a_tone_are_a_line_of_a_report(output: Any, line: str) -> None:
    """Not a field below the other."""
    assert lines(output) == [line]


def test_a_plan_hands_on_what_its_records_hold() -> None:
    """A text as it is, one value bare, everything else as JSON: parts were asked so, and plans are folded again."""
    handed = [passed_on(one) for one in ("x", {"value": "84"}, {"label": "good", "score": 1})]

    assert handed == ["x", "84", '{"label":"good","score":1}']


def test_evidence_that_is_no_list_is_none() -> None:
    """An agent elsewhere may name anything so."""
    assert sources({"citations": "everywhere"}) == []
