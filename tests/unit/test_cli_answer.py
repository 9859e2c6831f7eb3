"""What people see of an output: what they asked for on standard output, what is said of it on standard error."""

from typing import Any

import pytest

from smolit.cli.answer import show

CITED = {
    "answer": "Facts.",
    "confidence": 0.97,
    "known": True,
    "citations": [{"title": "README.md", "quote": "It publishes facts."}],
}


@pytest.mark.parametrize(
    ("output", "told", "beside"),
    [
        ("hello", "hello\n", ""),
        ("two\nlines\x1b[2J", "two\nlines\\x1b[2J\n", ""),
        ({"value": "84", "exact": True}, "84\n", ""),
        ({"label": "positive", "confidence": 0.996, "flag": None}, "positive\n", "confidence 0.996\n"),
        ({"text": "Hi.", "model": "m", "fallback": True, "cut": False}, "Hi.\n", "model m, fallback yes\n"),
        ({"report": "# Report\n\nAll is well.", "steps": {}}, "# Report\n\nAll is well.\n", ""),
        (CITED, "Facts.\n", "from README.md: It publishes facts.\nconfidence 0.97\n"),
        ({"counts": {}, "entities": []}, '{\n  "counts": {},\n  "entities": []\n}\n', ""),
        ({"answer": {"a": 1}}, '{\n  "answer": {\n    "a": 1\n  }\n}\n', ""),
        (None, "null\n", ""),
        ([1, 2], "[1,2]\n", ""),
        ("", "\n", ""),
        ({"text": "", "confidence": 0.0, "pages": []}, "\n", "the text is empty\nconfidence 0\n"),
    ],
)
def test_what_was_asked_for_comes_first(output: Any, told: str, beside: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One thing on standard output, free of control characters; where it comes from and how sure it is beside it."""
    show(output)

    assert capsys.readouterr() == (told, beside)


def test_rows_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Columns and rows of them; what only looks like that is JSON."""
    show({"columns": ["region", "value"], "rows": [["North", 1068]], "sql": "select 1", "cut": False})
    table = capsys.readouterr()
    show({"columns": ["region", "value"], "rows": [["North"]]})

    assert [line.split() for line in table.out.splitlines() if line[:1].isalpha()] == [["region", "value"], ["North", "1068"]]
    assert table.err == "sql select 1\n"
    assert capsys.readouterr().out.startswith("{")
