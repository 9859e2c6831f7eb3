"""Models inside agents: who may be chosen, how likely that is, what is recorded, and what is learned."""

import numpy as np
import pytest
from msgspec.structs import replace

from agents.choosing import Fitting, Rule, Situation, Wanted, When, blank, chosen, offer
from events.card import ModelLimits
from learning.models import Page, Told, decide, fold, hopeful, maker, placed
from tests.builders import features, halves
from tests.cards import WIDTH, known, outcome, page, random_context

SEEN = Situation("The box came late.", features(), None)
TWO = Wanted("mood", ("large", "small"))


def told(model: str, rewards: list[float], domain: str | None = None, begin: int = 0) -> list[Told]:
    """Return judged outcomes of a model."""
    return [outcome(begin + number, model, reward, domain) for number, reward in enumerate(rewards)]


def best(of: Page, domain: str | None) -> str | None:
    """Return the favourite in a domain."""
    return decide(of, blank(WIDTH), domain, ["large/1", "small/1"], {}, 0.0).favourite


def test_cards_say_who_may_be_chosen_and_why_others_may_not() -> None:
    """Retired, unknown, for another domain, too long a text, tried before: each is told by name with its reason."""
    models = [
        known("small"),
        known("old", retired=True),
        known("law", domains=("law",)),
        known("short", limits=ModelLimits(chars=5)),
        known("broken"),
    ]
    wanted = Wanted("mood", ("small", "old", "law", "short", "broken", "nobody"))

    found = offer(models, wanted, replace(SEEN, domain="shop"), {"broken": "unavailable"})

    assert [one.card.name for one in found.candidates] == ["small"]
    assert {one.model: one.reason for one in found.left_out} == {
        "nobody": "unknown", "old/1": "retired", "law/1": "other_domain", "short/1": "too_long", "broken/1": "unavailable",
    }  # fmt: skip


def test_any_that_fits_is_told_by_what_cards_say() -> None:
    """Subtask, kind and domain of the cards decide; a card without domains is for all of them."""
    models = [known("a"), known("b", kind="head"), known("c", subtasks=("names",)), known("d", domains=("law",))]

    def names(**fitting: str) -> list[str]:
        return [one.card.name for one in offer(models, Wanted("x", fitting=Fitting(**fitting)), SEEN, {}).candidates]

    assert names(subtask="mood") == ["a", "b", "d"]
    assert names(subtask="mood", kind="head") == ["b"]
    assert names(domain="shop") == ["a", "b", "c"]


def test_the_first_rule_that_holds_decides_and_one_without_models_is_passed_over() -> None:
    """Rules are tried in order; what they leave out says so."""
    rules = (
        Rule(When(matches="late"), ("gone",)),
        Rule(When(least_chars=5, matches="late"), ("small",)),
        Rule(When(), ("large",)),
    )

    found = offer([known("small"), known("large")], replace(TWO, rules=rules), SEEN, {})

    assert [one.card.name for one in found.candidates] == ["small"]
    assert (found.rule, [(one.model, one.reason) for one in found.left_out]) == (2, [("large/1", "rule")])


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        (When(domain=("law",)), False),
        (When(domain=("shop",)), True),
        (When(most_chars=5), False),
        (When(file=("application/pdf",)), True),
        (When(file=("text/csv",)), False),
        (When(domain=("shop",), least_chars=1_000), False),
    ],
)
def test_a_rule_holds_where_all_that_it_names_is_so(when: When, holds: bool) -> None:
    """Domain, length, words and files."""
    seen = replace(SEEN, domain="shop", files=("application/pdf",))

    found = offer([known("small"), known("large")], replace(TWO, rules=(Rule(when, ("small",)),)), seen, {})

    assert (found.rule is not None) == holds


def test_a_pattern_that_is_none_is_refused() -> None:
    """A rule's pattern is checked where the rule is read."""
    with pytest.raises(ValueError, match="is no pattern"):
        When(matches="(")


def test_a_model_is_measured_in_each_domain_by_itself() -> None:
    """One is better at law, the other at shop; who is better in all is the favourite where the domain is new."""
    learned = page(
        told("small/1", [0.0] * 30, "law") + told("large/1", [1.0] * 30, "law", 100)
        + told("small/1", [1.0] * 90, "shop", 200) + told("large/1", [0.0] * 90, "shop", 300)
    )  # fmt: skip

    assert (best(learned, "law"), best(learned, "shop"), best(learned, "never met")) == ("large/1", "small/1", "small/1")


def test_the_choice_records_everything_that_it_was_made_of() -> None:
    """Probabilities are those that were sampled, parts add up to scores, cards are compared with the text."""
    learned = page(told("small/1", [1.0] * 20, "shop") + told("large/1", [0.5] * 5, "shop", 100))
    seen = replace(SEEN, domain="shop", features=features(embedding=halves([1.0])))
    offered = offer([known("small"), known("large")], TWO, seen, {})

    found = chosen(offered, replace(TWO, share=0.1), seen, learned, blank(WIDTH), 0.999)

    assert sum(one.probability for one in found.candidates) == pytest.approx(1.0, abs=1e-12)
    assert min(one.probability for one in found.candidates) > 0
    assert found.probability == next(one.probability for one in found.candidates if one.model == found.model)
    for one in found.candidates:
        assert sum(one.parts.values()) == pytest.approx(one.score, abs=1e-9)
        assert {"pooled", "agent", "text", "domain"} == set(one.parts)
    assert {one.model: one.judged for one in found.candidates} == {"small/1": 20, "large/1": 5}
    assert (found.learned, found.policy, found.digest) == (25, "joint_thompson/1", learned.digest)
    assert all(one.fit == pytest.approx(1.0) for one in found.candidates)


def test_a_new_model_keeps_its_share_until_its_interval_lies_below() -> None:
    """Nobody knows the new one: it has the share; after it did badly it has what the policy gives it."""
    good = told("small/1", [1.0, 0.9] * 100)
    fresh, known_bad = page(good), page(good + told("large/1", [0.0, 0.1] * 10, begin=500))

    def chance(of: Page) -> float:
        return decide(of, blank(WIDTH), None, ["large/1", "small/1"], {}, 0.2).probabilities[0]

    assert hopeful(fresh, None, ["large/1", "small/1"]) == {"large/1", "small/1"}
    assert hopeful(known_bad, None, ["large/1", "small/1"]) == {"small/1"}
    assert chance(fresh) >= 0.2
    assert chance(known_bad) < 0.01


def test_shares_take_at_most_half() -> None:
    """With many models that nobody knows, the policy still decides about half of the chance."""
    names = [f"m{number:02}/1" for number in range(50)]

    found = decide(page(), blank(WIDTH), None, names, {}, 0.25)

    assert sum(found.probabilities) == pytest.approx(1.0, abs=1e-9)
    assert min(found.probabilities) >= 0.01 - 1e-12


def test_going_on_is_the_same_as_beginning_anew() -> None:
    """A page that goes on from the one before has the same bytes as one that took in everything at once."""
    rng = np.random.default_rng(3)
    outcomes = [
        replace(outcome(number, f"m{number % 3}/1", float(rng.random()), "ab"[number % 2]), context=random_context(rng))
        for number in range(40)
    ]
    make = maker("joint_thompson", {})
    before = fold(outcomes[:25], make, WIDTH)

    grown, anew = fold(outcomes, make, WIDTH, before), fold(outcomes, make, WIDTH)

    assert grown.digest == anew.digest
    assert grown.digest != before.digest


def test_a_reward_that_changed_makes_the_page_anew() -> None:
    """What was judged otherwise since is learned as it is now, and nothing of before stays."""
    before = page(told("small/1", [1.0] * 5))
    now = told("small/1", [1.0, 1.0, 0.0, 1.0, 1.0])

    assert fold(now, maker("joint_thompson", {}), WIDTH, before).digest == page(now).digest


def test_beside_a_text_the_domain_says_less_than_alone() -> None:
    """A text tells most of its domain by itself; where there is none, the domain is all that is known."""
    text = np.array([0.5, 0.5, 1.0])

    assert 0 < placed(text, "a", ("a",))[2] < placed(blank(3), "a", ("a",))[2]


def test_a_domain_that_nobody_met_has_no_mark() -> None:
    """The context says what the text says, and its bias stays last."""
    marked, plain = placed(blank(3), "b", ("a", "b")), placed(blank(3), "new", ("a", "b"))

    assert (marked[3] > 0, marked[2], marked[-1]) == (True, 0.0, 1.0)
    assert plain.tolist() == [0.0, 0.0, 0.0, 0.0, 1.0]
