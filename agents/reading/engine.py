"""The recognizer: RapidOCR (PP-OCRv6 small, ONNX), with the models in its wheel and no others.

Source: https://github.com/RapidAI/RapidOCR, Apache-2.0. Left alone it would fetch a model that is missing or changed, use every
core, and write what it does to standard output: models are named by path and checked by digest, one thread, no words.
"""

import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.errors import AgentFailed
from agents.reading.page import Point, Spot
from agents.reading.turn import quarters, turned
from learning.encoding import file_sha256
from learning.once import once

Image = NDArray[np.uint8]  # (height, width, 3), red green blue

_MODELS = {
    "Det": ("PP-OCRv6_det_small.onnx", "090f04abcd9d9a7498bc4ebf677e4cb9bdce1fe4197ddb7e529f1ef44e1ff94f"),
    "Rec": ("PP-OCRv6_rec_small.onnx", "6f327246b50388f3c176ae304bd95767ea6dc0c9ae92153ef8cbe210b3c14884"),
    "Cls": ("ch_ppocr_mobile_v2.0_cls_mobile.onnx", "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c"),
}
_QUIET = {
    "Global.log_level": "critical",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}


class Engine:
    """Finds and reads text in images, one at a time."""

    def __init__(self, recognizer: Any) -> None:
        self._recognizer = recognizer
        self._lock = threading.Lock()  # one session, one thread: two at once are slower than one after the other

    @property
    def model(self) -> str:
        """Return what reads, with its version."""
        return f"rapidocr/{version('rapidocr')}/PP-OCRv6-small"

    @staticmethod
    def load() -> "Engine":
        """Open the models, once in a process.

        Raises:
            AgentFailed: they are not installed, or not the ones that were measured.
        """
        return _loaded()

    def read(self, image: Image) -> list[Spot]:
        """Return what stands in an image, in no order that means anything."""
        with self._lock:
            found = self._recognizer(np.ascontiguousarray(image[:, :, ::-1]))  # it wants blue first
            flips = self._recognizer.flips
        if found.txts is None or found.boxes is None:
            return []
        boxes = [_corners(box) for box in found.boxes]
        times = quarters(boxes, flips)
        spots = map(Spot, boxes, found.txts, map(float, found.scores))
        return [turned(spot, times) for spot in spots]


def _open() -> Engine:
    """Open the models."""
    try:
        import rapidocr  # 0.6 s, and only workers need it
    except ImportError as error:
        raise AgentFailed("model_missing", f"rapidocr is not installed ({error}); `make install` brings it") from error
    folder = Path(rapidocr.__file__).parent / "models"
    return Engine(_watched(rapidocr.RapidOCR)(params={**_QUIET, **_checked(folder)}))


def _watched(recognizer: Any) -> Any:
    """Return the recognizer's class, made to remember which of the lines of its last image were upside down."""

    class Watched(recognizer):  # type: ignore[misc]
        """Remembers of each line how many times as long as high it was cut out, and whether it was upside down."""

        flips: tuple[tuple[float, bool], ...] = ()

        def cls_and_rotate(self, img: Any) -> Any:
            """Turn lines, and remember."""
            upright, found = super().cls_and_rotate(img)
            self.flips = tuple(
                (one.shape[1] / one.shape[0], label == "180") for one, (label, _) in zip(img, found.cls_res, strict=True)
            )
            return upright, found

    return Watched


_loaded = once(_open)


def _checked(folder: Path) -> dict[str, str]:
    """Return the settings that name the models by their paths, so that nothing is ever fetched."""
    for name, sha256 in _MODELS.values():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise AgentFailed("model_changed", f"{name} of rapidocr is not the model that was measured; `make install` brings it")
    return {f"{part}.model_path": str(folder / name) for part, (name, _) in _MODELS.items()}


def _corners(box: Any) -> tuple[Point, Point, Point, Point]:
    first, second, third, fourth = ((float(x), float(y)) for x, y in box)
    return first, second, third, fourth
