"""Which words of a question decide what is looked at."""

from projections.knowledge_words import Term, decisive, weight


def term(name: str, sampled: int) -> Term:
    """Return a word that so many pieces of the sample have."""
    return Term(name, f"'{name}'", sampled)


def test_rare_words_decide_until_they_have_enough_pieces() -> None:
    """Each stands for sixteen times what the sample has; one that the sample lacks, for half of that of one piece."""
    terms = [term("zebra", 0), term("pump", 3), term("flow", 5), term("the", 300)]

    assert [one.lexeme for one in decisive(terms, most=200)] == ["zebra", "pump", "flow"]
    assert [one.lexeme for one in decisive(terms, most=100)] == ["zebra", "pump"]


def test_one_word_always_decides() -> None:
    """Even where the rarest is common."""
    assert [one.lexeme for one in decisive([term("flow", 90), term("the", 300)], most=100)] == ["flow"]


def test_a_rarer_word_counts_more_and_none_counts_against_a_piece() -> None:
    """Weights are whole millionths of the logarithm."""
    assert weight(9.5, 99) == round(1_000_000 * 2.302585093)
    assert weight(500, 99) == 0
