"""What asks for something, for whoever splits texts and whoever hears turns alike."""

import pytest

from agents.grammar import asks


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Is this positive?", True),
        ("(What would it cost?)", True),
        ("Please work out the sum of 3 and 4", True),
        ("Could you please summarize it", True),
        ("I'd like a forecast", True),
        ("forecast next month", True),
        ("Fasse den Text zusammen.", True),
        ("Ich brauche eine Zusammenfassung", True),
        ("My loan runs until May.", False),
        ("The summary was long.", False),
        ("", False),
    ],
)
def test_what_asks_for_something(text: str, asked: bool) -> None:
    """A question mark or how it begins, in two languages; a statement about the same things does not."""
    assert asks(text) is asked
