"""The measure of post-checks: what it counts, and that it tells good from bad."""

from bench.agents.check import GOOD, PER_KIND, PLANTED, measure, shares

UNSEEN = {"another day", "another amount"}


def test_what_can_be_seen_is_caught_and_what_is_good_passes() -> None:
    """Every kind that one output can show is caught whole; what looks as true as the truth is not; no good output is lost."""
    caught, wronged = shares(3)

    assert {kind for kind, hits in caught.items() if sum(hits) == PER_KIND} == set(PLANTED) - UNSEEN
    assert all(sum(caught[kind]) < PER_KIND / 2 for kind in UNSEEN)
    assert (len(wronged), sum(wronged)) == (GOOD, 0)


def test_the_figures_are_of_at_least_fifty_outputs_and_the_same_for_the_same_seed() -> None:
    """The share caught stands beside that of a schema alone, which sees less."""
    planted, lost = measure(5)

    assert planted.n >= 50
    assert planted.baseline_value
    assert planted.value.low > planted.baseline_value.high
    assert lost.value.value == 0.0
    assert measure(5) == [planted, lost]
