"""What a training promises: it learns what there is to learn and no more, and how it is cut up changes no figure."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning.network import open_graph
from tests.training.kit import AGENTS, WIDTH, World, job, world
from training.calibrate import SPANNED, platt, span
from training.job import KINDS, Kind, Rows
from training.size import hidden_of, numbers, operations

torch = pytest.importorskip("torch", reason="torch is not installed: make install-train", exc_type=ImportError)

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from training import checkpoint  # noqa: E402  # as the rest: only where torch is there
from training.crossed import calibrated  # noqa: E402
from training.errors import BatchStatistics, CheckpointUnusable, LossNotFinite, ParityMissed  # noqa: E402
from training.export import check_parity, export  # noqa: E402
from training.loop import Trainer, part_of  # noqa: E402
from training.loss import mean, sums  # noqa: E402
from training.nets import Outputs, Shape, Shared, count, make  # noqa: E402
from training.ranks import Ranks  # noqa: E402

torch.set_num_threads(1)  # as the process that trains does: for networks this small, threads wait for each other
every_kind = pytest.mark.parametrize("kind", KINDS)
PLAIN = ((1.0, 0.0), (1.0, 0.0))


def trainer(rows: Rows, folder: Path, ranks: Ranks | None = None, net: Any = None, **words: Any) -> Trainer:
    """Return what trains rows."""
    return Trainer(job(rows, **words), rows, ranks or Ranks(), folder, net)


def weights(net: Any) -> Any:
    """Return all numbers of a network in one vector."""
    return torch.cat([each.flatten() for each in net.state_dict().values()])


def earned(net: Any, of: World) -> float:
    """Return how much of the way from a chance pick to the best possible one a network's picks go, on texts it never saw."""
    roster = torch.arange(1, len(AGENTS) + 1).expand(len(of.contexts), -1)
    with torch.no_grad():
        picks = net(torch.from_numpy(of.contexts), roster).reward.argmax(1).numpy()
    chance, best = of.chances.mean(), of.chances.max(1).mean()
    return float((of.chances[np.arange(len(picks)), picks].mean() - chance) / (best - chance))


@every_kind
def test_a_rule_that_can_be_learned_is_learned(tmp_path: Path, kind: Kind) -> None:
    """Trained on a known rule, its picks on new texts go 90 % of the way from chance to the best possible."""
    fitted = trainer(world(tasks=3000).rows, tmp_path, kind=kind, batch=128).run()

    assert earned(fitted.net, world(1, 2000)) >= 0.9


@every_kind
def test_what_cannot_be_learned_is_not(tmp_path: Path, kind: Kind) -> None:
    """With rewards shuffled among the rows, picks on new texts stay at chance, and the loss is that of knowing nothing."""
    fitted = trainer(world(tasks=3000, shuffled=True).rows, tmp_path, kind=kind, batch=128).run()

    assert abs(earned(fitted.net, world(1, 2000))) < 0.35
    assert fitted.position.best is not None


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_a_batch_in_parts_is_one_batch(tmp_path: Path, parts: int) -> None:
    """After two epochs with an uneven last batch, weights are those of whole batches, with one step of the optimiser for each."""
    rows = world(tasks=553).rows  # 470 rows to train on: seven batches of 64, and one of 22
    whole = trainer(rows, tmp_path / "whole", epochs=2, patience=9)
    cut = trainer(rows, tmp_path / "cut", epochs=2, patience=9, accumulate=parts)
    steps = itertools.count()
    step = cut._optimiser.step
    cut._optimiser.step = lambda *given, **more: (next(steps), step(*given, **more))[1]

    one, other = whole.run(), cut.run()

    assert (weights(one.net) - weights(other.net)).abs().max() < 1e-6
    assert next(steps) == other.position.step == 2 * 8
    assert [each.training for each in one.position.curve] == pytest.approx([each.training for each in other.position.curve])


def test_a_network_with_statistics_of_a_batch_is_refused(tmp_path: Path) -> None:
    """Parts of a batch would not add up to it."""
    net = torch.nn.Sequential(torch.nn.Linear(WIDTH, 4), torch.nn.BatchNorm1d(4))

    with pytest.raises(BatchStatistics, match="normalises over a batch"):
        trainer(world().rows, tmp_path, net=net)


def test_what_is_not_known_teaches_nothing() -> None:
    """A missing target has no gradient, where zero would have one; known ones have theirs."""
    logits = torch.full((2, 3), 0.7, dtype=torch.float64, requires_grad=True)
    outputs = Outputs(*(logits[:, [at, at]] for at in range(3)))
    known = torch.tensor([[0.0, 1.0, 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)

    mean(sums(outputs, torch.zeros(2, dtype=torch.int64), torch.zeros(2, 3, dtype=torch.float64), known), known.sum(0)).backward()

    assert ((logits.grad != 0) == (known > 0)).all()


def test_shared_and_separate_networks_have_as_many_numbers() -> None:
    """So that what one does better is no matter of size (within 3 %)."""
    rows = world().rows
    shared, separate = (count(make(job(rows, kind=kind, hidden=24))) for kind in ("multitask", "mlp"))

    assert separate == pytest.approx(shared, rel=0.03)


SHAPES = [
    {},
    {"kind": "mlp"},
    {"depth": 3, "heads": 2, "agent": 4},
    {"heads": 0, "axes": 3},
    {"kind": "mlp", "depth": 2, "axes": 5, "agent": 16},
    {"kind": "linear"},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_a_network_costs_is_known_before_it_is_made(shape: dict[str, Any]) -> None:
    """Its numbers, and the operations of a look at one text with all agents, as torch counts them."""
    made = job(world(tasks=50).rows, **{"hidden": 24, **shape})
    sizes = (WIDTH, len(AGENTS))
    net = make(made)
    told = (made.words, *sizes, hidden_of(made.words, *sizes))
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        net(torch.zeros(1, WIDTH, dtype=torch.float64), torch.arange(1, len(AGENTS) + 1)[None])

    assert numbers(*told) == count(net)
    if made.words.kind != "linear":  # whose products are no matrix products
        assert operations(*told) == counted.get_total_flops()


def test_other_shapes_learn_and_tell_the_same_as_graphs(tmp_path: Path) -> None:
    """Deeper, with two heads and fewer axes: nobody is attended to, it learns, and its graph tells what it tells."""
    rows = world(tasks=3000).rows
    shape: dict[str, Any] = {"depth": 2, "heads": 2, "agent": 4, "hidden": 24, "batch": 128}
    fitted = trainer(rows, tmp_path, **shape).run()
    made, validation = job(rows, **shape), part_of(rows, rows.validation)

    assert earned(fitted.net, world(1, 2000)) >= 0.85
    assert check_parity(fitted.net, PLAIN, export(fitted.net, PLAIN, made), made, validation) <= 1e-4


def test_what_it_does_not_look_at_changes_nothing() -> None:
    """With three axes only the first three numbers and the bias count."""
    net = make(job(world(tasks=50).rows, axes=3))
    contexts, roster = torch.randn(4, WIDTH, dtype=torch.float64), torch.arange(1, len(AGENTS) + 1).expand(4, -1)
    other, seen = contexts.clone(), contexts.clone()
    other[:, 3:-1] += 1.0
    seen[:, 0] += 1.0

    assert torch.equal(net(contexts, roster).reward, net(other, roster).reward)
    assert not torch.equal(net(contexts, roster).reward, net(seen, roster).reward)


def test_the_span_of_times_holds_what_it_says(tmp_path: Path) -> None:
    """Nine in ten of the times on texts that it never saw, and nothing where too few are known."""
    rows, later = world(tasks=1000).rows, world(5, 1500).rows
    found = trainer(rows, tmp_path, batch=128, epochs=8).run()
    made = job(rows, batch=128, epochs=8, folds=4)
    ends = calibrated(found, made, rows, Ranks(), tmp_path / "folds").span
    assert ends is not None
    told = open_graph(export(found.net, PLAIN, made, ends))
    mean, deviation = made.duration
    took = np.expm1(mean + deviation * later.targets[:, 2]) / 1000.0
    between = [told.told(context).between for context in later.contexts]
    inside = [
        both is not None and both[0][agent - 1] <= time <= both[1][agent - 1]
        for both, agent, time in zip(between, later.agents, took, strict=True)
    ]

    assert np.mean(inside) == pytest.approx(SPANNED, abs=0.035)
    assert span(np.zeros(18)) is None
    assert span(np.arange(19.0)) == (0.0, 18.0)
    assert open_graph(export(found.net, PLAIN, made)).told(later.contexts[0]).between is None


def test_nobody_is_attended_to() -> None:
    """Places where nobody is change nothing for those that are there."""
    torch.manual_seed(0)
    net = Shared(Shape(WIDTH, len(AGENTS), 8, heads=2)).to(torch.float64)
    contexts = torch.randn(5, WIDTH, dtype=torch.float64)
    there = torch.tensor([[1, 3, 4]]).expand(5, -1)
    padded = torch.tensor([[0, 1, 3, 0, 4, 0]]).expand(5, -1)

    alone, among = net(contexts, there), net(contexts, padded)

    for one, other in zip(alone, among, strict=True):
        assert torch.allclose(one, other[:, [1, 2, 4]], atol=1e-12)


@pytest.mark.parametrize("stop", [1, 7, 16, 29])
def test_a_training_that_was_stopped_goes_on_as_if_it_had_not(tmp_path: Path, stop: int) -> None:
    """The same curve, steps and weights to the bit, wherever it was stopped: within an epoch, at its end, or in a later one."""
    rows = world().rows
    whole = trainer(rows, tmp_path / "whole", epochs=6, checkpoint_steps=1).run()
    first = trainer(rows, tmp_path / "cut", epochs=6, checkpoint_steps=1)
    first.run(most_steps=stop)
    second = trainer(rows, tmp_path / "cut", epochs=6, checkpoint_steps=1)
    second.resume()
    assert second.at.step == stop

    resumed = second.run()

    assert resumed.position == whole.position
    assert torch.equal(weights(resumed.net), weights(whole.net))


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path: Path) -> None:
    """Cut off, turned, or without its manifest; whoever deletes it goes on from the one before."""
    rows = world().rows
    trainer(rows, tmp_path, epochs=3).run()
    newest = sorted(tmp_path.iterdir())[-1]
    state = (newest / checkpoint.STATE).read_bytes()
    for broken in (state[:-9], b"\x80\x04." + state[3:], b""):
        (newest / checkpoint.STATE).write_bytes(broken)
        with pytest.raises(CheckpointUnusable, match=newest.name):
            trainer(rows, tmp_path, epochs=3).resume()
    (newest / checkpoint.MANIFEST).unlink()
    with pytest.raises(CheckpointUnusable, match=newest.name):
        trainer(rows, tmp_path, epochs=3).resume()

    (newest / checkpoint.STATE).unlink()
    newest.rmdir()
    again = trainer(rows, tmp_path, epochs=3)
    again.resume()
    assert again.at.epoch == 2


def test_a_checkpoint_of_another_training_is_refused_by_name(tmp_path: Path) -> None:
    """Another seed is another training."""
    rows = world().rows
    trainer(rows, tmp_path, epochs=1).run()

    with pytest.raises(CheckpointUnusable, match=r"step-\d+ belongs to another training"):
        trainer(rows, tmp_path, epochs=1, seed=5).resume()


def test_the_best_checkpoint_is_kept_however_old_it_is(tmp_path: Path) -> None:
    """Of all others the newest three are left, and no draft."""
    found = trainer(world(tasks=200, shuffled=True).rows, tmp_path, epochs=12, patience=12, rate=0.05).run().position
    kept = [checkpoint._manifest(one).position.epoch for one in sorted(tmp_path.iterdir())]

    assert found.epoch == 12
    assert found.best_epoch <= 9, "else this shows nothing"
    assert kept == [found.best_epoch, 10, 11, 12]


def test_it_ends_early_and_keeps_the_best(tmp_path: Path) -> None:
    """Patience over, the weights are those of the best epoch, and their loss is that of the curve's lowest point."""
    rows = world(tasks=200, shuffled=True).rows
    running = trainer(rows, tmp_path, epochs=60, patience=3, rate=0.05)
    found = running.run()
    losses = [each.validation for each in found.position.curve]
    validation = part_of(rows, rows.validation)

    assert len(losses) == found.position.best_epoch + 3 < 60
    with torch.no_grad():
        again = float(mean(running.losses(validation), validation.known.sum(0)))
    assert again == pytest.approx(losses[found.position.best_epoch - 1], abs=1e-12)
    assert again <= min(losses) + 1e-4


def test_a_loss_that_is_no_number_ends_the_training(tmp_path: Path) -> None:
    """By name, with what may help."""
    rows = world().rows
    spoiled = rows._replace(contexts=np.where(rows.contexts > 2.0, np.inf, rows.contexts))

    with pytest.raises(LossNotFinite, match="--rate"):
        trainer(spoiled, tmp_path).run()


@every_kind
def test_the_graph_tells_what_the_network_tells(tmp_path: Path, kind: Kind) -> None:
    """Within 1e-4, with the same best agent, padded places and single texts too; made twice, it has the same bytes."""
    rows = world().rows
    graphs = []
    for name in ("one", "other"):
        running = trainer(rows, tmp_path / name, kind=kind, epochs=3)
        fitted = running.run()
        graphs.append(export(fitted.net, PLAIN, job(rows, kind=kind, epochs=3)))

    assert graphs[0] == graphs[1]
    assert check_parity(fitted.net, PLAIN, graphs[0], job(rows), part_of(rows, rows.validation)) < 1e-5
    served = open_graph(graphs[0])
    with torch.no_grad():
        wanted = torch.sigmoid(fitted.net(torch.from_numpy(rows.contexts[:1]), torch.arange(1, 5)[None]).reward)[0].numpy()
    assert served.rewards(rows.contexts[0]) == pytest.approx(wanted, abs=1e-5)
    assert (served.card.kind, served.card.agents) == (kind, AGENTS)


def test_a_graph_of_another_network_does_not_pass(tmp_path: Path) -> None:
    """The gate finds figures that are off, and says by how much."""
    rows = world().rows
    fitted = trainer(rows, tmp_path, kind="linear", epochs=3).run()
    graph = export(fitted.net, ((1.0, 0.01), (1.0, 0.0)), job(rows, kind="linear"))

    with pytest.raises(ParityMissed, match=r"reward is off by 0\.00"):
        check_parity(fitted.net, PLAIN, graph, job(rows), part_of(rows, rows.validation))


def test_chances_are_made_to_mean_what_they_say() -> None:
    """Logits that are twice too sure are halved; with nothing to go by they stay."""
    bits = np.random.default_rng(4)
    true = bits.standard_normal(20_000)
    came = (bits.random(20_000) < 1.0 / (1.0 + np.exp(-true))).astype(np.float64)

    scale, shift = platt(2.0 * true + 1.0, came)

    assert (scale, shift) == pytest.approx((0.5, -0.5), abs=0.05)
    assert platt(np.zeros(0), np.zeros(0)) == (1.0, 0.0)
    assert platt(np.full(5, 3.0), np.ones(5))[1] < 2.0, "five successes do not make it sure"
