"""Trained networks: found by their digest, whole and harmless, or not opened at all."""

import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from learning.errors import ArtefactMissing, ArtefactUnusable
from learning.network import GRAPH, MANIFEST, Shelf, open_graph, write
from learning.onnx_check import check_graph
from tests.networks import card, graph, model

SLOPES = [[1.0, 0.0, -1.0], [0.0, 2.0, 0.5]]
CONTEXT = np.array([0.3, -0.2, 1.0])


def test_what_was_written_tells_each_agents_reward(tmp_path: Path) -> None:
    """In the order of the card, in float64, the same whether it was opened before or not."""
    digest = write(tmp_path, graph(SLOPES, card()))
    wanted = 1.0 / (1.0 + np.exp(-(np.array(SLOPES) @ CONTEXT)))

    found = Shelf(tmp_path)(digest)

    assert found.card == card()
    assert found.rewards(CONTEXT) == pytest.approx(wanted, abs=1e-6)
    assert found.rewards(CONTEXT).tolist() == Shelf(tmp_path)(digest).rewards(CONTEXT).tolist()
    assert found.told(CONTEXT).seconds == pytest.approx(np.expm1(5.0 + np.array(SLOPES) @ CONTEXT) / 1000.0, rel=1e-5)


def test_one_that_is_there_stays_and_a_damaged_one_is_replaced(tmp_path: Path) -> None:
    """Written twice it is not touched; one that was cut off is made anew, and no draft is left behind."""
    digest = write(tmp_path, graph(SLOPES, card()))
    before = (tmp_path / digest / GRAPH).stat().st_ino
    write(tmp_path, graph(SLOPES, card()))
    assert (tmp_path / digest / GRAPH).stat().st_ino == before

    (tmp_path / digest / GRAPH).write_bytes(b"")
    write(tmp_path, graph(SLOPES, card()))

    assert Shelf(tmp_path)(digest).card == card()
    assert os.listdir(tmp_path) == [digest]


def _cut(here: Path) -> None:
    (here / GRAPH).write_bytes((here / GRAPH).read_bytes()[:-7])


def _flipped(here: Path) -> None:
    content = bytearray((here / GRAPH).read_bytes())
    content[len(content) // 2] ^= 1
    (here / GRAPH).write_bytes(bytes(content))


def _pickled(here: Path) -> None:
    (here / GRAPH).write_bytes(pickle.dumps({"slopes": SLOPES}))


def _without_manifest(here: Path) -> None:
    (here / MANIFEST).unlink()


def _foreign_manifest(here: Path) -> None:
    (here / MANIFEST).write_bytes((here / MANIFEST).read_bytes().replace(b'"sha256": "', b'"sha256": "0'))


@pytest.mark.parametrize("damage", [_cut, _flipped, _pickled, _without_manifest, _foreign_manifest])
def test_a_damaged_one_is_refused_by_name(tmp_path: Path, damage: Any) -> None:
    """Nothing of it is opened."""
    digest = write(tmp_path, graph(SLOPES, card()))
    damage(tmp_path / digest)

    with pytest.raises(ArtefactUnusable, match=digest[:12]):
        Shelf(tmp_path)(digest)


def test_one_that_is_not_there_is_missed_by_name(tmp_path: Path) -> None:
    """The message says how to have it again."""
    with pytest.raises(ArtefactMissing, match=r"abababababab.*smolit model restore"):
        Shelf(tmp_path)("ab" * 32)


def test_one_that_was_open_is_missed_all_the_same(tmp_path: Path) -> None:
    """Whoever is to put it in force hears that it is gone, though it runs here still."""
    digest = write(tmp_path, graph(SLOPES, card()))
    shelf = Shelf(tmp_path)
    shelf(digest)
    (tmp_path / digest / GRAPH).unlink()
    with pytest.raises(ArtefactUnusable, match=digest[:12]):
        shelf(digest)

    shutil.rmtree(tmp_path / digest)
    with pytest.raises(ArtefactMissing, match=digest[:12]):
        shelf(digest)


def _external(made: Any) -> None:
    tensor = made.graph.initializer[0]
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    tensor.ClearField("raw_data")


def _custom_node(made: Any) -> None:
    made.graph.node[4].domain = "com.evil"
    made.opset_import.append(helper.make_opsetid("com.evil", 1))


def _custom_import(made: Any) -> None:
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def _function(made: Any) -> None:
    made.functions.append(helper.make_function("ai.onnx", "F", ["x"], ["x"], [], [helper.make_opsetid("", 20)]))


def _external_constant(made: Any) -> None:
    tensor = TensorProto(dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    made.graph.node.append(helper.make_node("Constant", [], ["aside"], value=tensor))


def _external_in_a_branch(made: Any) -> None:
    inner = model(SLOPES, card())
    _external(inner)
    made.graph.node.append(helper.make_node("If", ["x"], ["y"], then_branch=inner.graph, else_branch=inner.graph))


def _sparse(made: Any) -> None:
    made.graph.sparse_initializer.add()


def _nan_weight(made: Any) -> None:
    _filled(made, np.nan)


def _endless_weight(made: Any) -> None:
    _filled(made, np.inf)


def _filled(made: Any, content: float) -> None:
    tensor = made.graph.initializer[0]
    tensor.CopyFrom(numpy_helper.from_array(np.full(list(tensor.dims), content, dtype=np.float32), tensor.name))


def _nan_spelled_out(made: Any) -> None:
    tensor = made.graph.initializer[0]
    tensor.CopyFrom(helper.make_tensor(tensor.name, TensorProto.FLOAT, tensor.dims, [np.nan] * int(np.prod(tensor.dims))))


def _nan_constant(made: Any) -> None:
    made.graph.node.append(helper.make_node("Constant", [], ["aside"], value_floats=[1.0, float("nan")]))


def _coarse_weight(made: Any) -> None:
    made.graph.initializer[0].data_type = TensorProto.BFLOAT16


PLANTED = [_external, _custom_node, _custom_import, _function, _external_constant, _external_in_a_branch, _sparse]
NO_NUMBERS = [_nan_weight, _endless_weight, _nan_spelled_out, _nan_constant, _coarse_weight]


@pytest.mark.parametrize("planted", [*PLANTED, *NO_NUMBERS])
def test_a_graph_that_holds_what_it_must_not_is_refused(tmp_path: Path, planted: Any) -> None:
    """Files beside it, operators of others, functions, sparse tensors, numbers that are none: neither written nor opened."""
    made = model(SLOPES, card())
    planted(made)

    with pytest.raises(ArtefactUnusable):
        check_graph(made.SerializeToString())
    with pytest.raises(ArtefactUnusable):
        write(tmp_path, made.SerializeToString())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bytes_of", [b"\x80\x04.", b"\x0a\xff", b"\x3f", graph(SLOPES, card())[:100]])
def test_what_is_no_graph_is_refused(bytes_of: bytes) -> None:
    """By name, whatever it is."""
    with pytest.raises(ArtefactUnusable):
        open_graph(bytes_of)


def test_a_graph_without_a_card_of_ours_is_refused() -> None:
    """Nobody could say whose rewards it tells; agents that are not sorted are no card of ours either."""
    bare = model(SLOPES, card())
    del bare.metadata_props[:]

    with pytest.raises(ArtefactUnusable, match="what it is"):
        open_graph(bare.SerializeToString())
    with pytest.raises(ArtefactUnusable, match="sorted"):
        open_graph(graph(SLOPES, card(("bert", "anna"))))


def test_a_graph_with_other_outputs_is_refused() -> None:
    """It is none of ours, however well it runs."""
    made = model(SLOPES, card())
    del made.graph.output[2]

    with pytest.raises(ArtefactUnusable, match="inputs or outputs"):
        open_graph(made.SerializeToString())


def test_a_network_that_tells_no_number_is_not_listened_to() -> None:
    """A choice on it would be none: weights that are finite may still add up to what is not."""
    largest = float(np.finfo(np.float32).max)
    found = open_graph(graph([[largest, largest, 0.0], [0.0] * 3], card()))

    with pytest.raises(ArtefactUnusable, match="not finite"):
        found.told(np.array([1.0, 1.0, 0.0]))
