"""The module of a model folder as an ONNX graph, and how far its answers are from the module's."""

import io
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.metadata import version
from logging import CRITICAL, getLogger
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from kdaudit.errors import ModelError
from kdaudit.models.code import said
from kdaudit.models.folder import ModelFolder
from kdaudit.models.torch import logits
from kdaudit.models.transformer import ENCODE

if TYPE_CHECKING:
    import torch

OPSET = 18  # what PyTorch's exporter is written for, and older runtimes read
DRAWN_ROWS = 256


def graph(folder: ModelFolder, encoded: "torch.Tensor") -> bytes:
    """One ONNX file: ``inputs`` (N, D) as the encoder makes them, ``logits`` (N, C), N free.

    The encoder is Python and stays outside. Classes, columns and the encoder's name go into the
    metadata, where the adapter ``onnx`` finds them.

    Args:
        folder: a model folder.
        encoded: (N, D) some rows; only type and width count.

    Raises:
        ModelError: if the module does something that the exporter cannot follow.
    """
    import onnx
    import torch

    model = folder.model
    with _exporting():
        try:
            program = torch.onnx.export(
                model.module(),
                (encoded[:2],),
                input_names=["inputs"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("rows")},),
                opset_version=OPSET,
                external_data=False,
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # the exporter and the module raise what they like
            raise ModelError(
                f"the module of {model.factory.name} cannot be written as ONNX: "
                f"{said(error)[:300]}; what it does may not depend on the values it is shown"
            ) from error
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, _facts(folder))
    written: bytes = proto.SerializeToString()
    return written


def difference(folder: ModelFolder, written: bytes, encoded: "torch.Tensor") -> float:
    """The largest absolute difference of any probability between module and graph.

    Args:
        folder: a model folder.
        written: the ONNX file.
        encoded: (N, D) rows to compare on.

    Raises:
        ModelError: if ONNX Runtime cannot run the graph, or one of the two gives no number.
    """
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(written, options, providers=["CPUExecutionProvider"])
        (graphed,) = session.run(["logits"], {"inputs": encoded.numpy()})
    except Exception as error:  # ONNX Runtime has its own classes, and Python's
        raise ModelError(f"ONNX Runtime cannot run the graph: {said(error)[:300]}") from error
    model = folder.model
    with torch.inference_mode():
        own = logits(model.module(), encoded, model.factory, len(model.classes)).numpy()
    if not (np.isfinite(own).all() and np.isfinite(graphed).all()):
        raise ModelError("some answers are NaN or infinite, so they cannot be compared")
    return float(np.abs(_probabilities(own) - _probabilities(graphed)).max())


def drawn(folder: ModelFolder) -> "torch.Tensor | None":
    """Encoded rows that are made up: numbers or token ids; None where only the encoder can say."""
    import torch

    model, generator = folder.model, torch.Generator().manual_seed(0)
    if model.encoder.function is None:
        return torch.randn((DRAWN_ROWS, model.width), generator=generator)
    if model.encoder.function.name != ENCODE:
        return None
    padding = model.encoder.state["padding"]
    vocabulary = json.loads(model.encoder.state["tokenizer"])["model"]["vocab"]
    ids = torch.randint(len(vocabulary), (DRAWN_ROWS, model.width), generator=generator)
    lengths = torch.randint(1, model.width + 1, (DRAWN_ROWS, 1), generator=generator)
    return ids.where(torch.arange(model.width) < lengths, padding)


def _facts(folder: ModelFolder) -> dict[str, str]:
    said, encode = folder.manifest, folder.manifest.encode
    return {
        "kdaudit.classes": json.dumps(said.classes),
        "kdaudit.inputs": json.dumps(said.inputs),
        "kdaudit.space": "logits",
        "kdaudit.folder": folder.digest,
        "torch": version("torch"),
        **({} if encode is None else {"kdaudit.encode": encode}),
    }


def _probabilities(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Softmax of (N, C) logits.

    >>> _probabilities(np.zeros((1, 2))).tolist()
    [[0.5, 0.5]]
    """
    shifted = np.exp(values.astype(np.float64) - values.max(axis=1, keepdims=True))
    found: npt.NDArray[np.float64] = shifted / shifted.sum(axis=1, keepdims=True)
    return found


@contextmanager
def _exporting() -> Iterator[None]:
    """Keep the exporter's own notices, which no user can act on, from the terminal."""
    logger = getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(CRITICAL)
    nowhere = io.StringIO()
    try:
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
