"""A classifier in one ONNX file, run by ONNX Runtime on the CPU: ``onnx = "model.onnx"``.

It reads one matrix of numbers (the input columns stacked), one column of text, or several inputs
that are called like input columns. Files of `kdaudit export-model` say their classes and columns
themselves; of others the classes are declared in the order of the outputs.

Whether it answers with logits or probabilities is declared (``space``), or told by the name of the
output, or by what it answers to a few made-up rows; `identity` says which of the three it was. The
session runs on one thread unless ``threads`` says more: speed and the last bit depend on it.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self, get_args

import numpy as np
import numpy.typing as npt

from kdaudit.data.csv_cells import typed
from kdaudit.data.shown import is_text, texts
from kdaudit.errors import ModelError, unknown
from kdaudit.governance.digest import file_digest
from kdaudit.models.adapter import Columns, Outputs, Space, UnfitRowError
from kdaudit.models.code import Code, resolve, said
from kdaudit.models.inputs import matrix, select
from kdaudit.models.pretrained import require, versions
from kdaudit.models.torch import Encoder, read_state

ADAPTER = "onnx 1"  # raised when the same file would answer differently
MAPS = "seq(map("  # what scikit-learn's converters answer: one map per row, from class to number
TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
PROBE_ROWS = 5
CLOSE = 1e-3  # of a sum of probabilities to one


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxModel:
    """One model; see the module's page.

    Attributes:
        path: the file.
        classes: (C,) names, in the order of the outputs.
        encoder: the columns to show, and what turns them into one matrix, if anything does.
        state: the file the encoder's state was read from, or None.
        threads: of one operator.
        declared: ``logits`` or ``probabilities`` where the user says it.
        output: the name of the output, where there are several.
        session: of ONNX Runtime.
    """

    path: Path
    classes: tuple[str, ...]
    encoder: Encoder
    state: Path | None
    threads: int
    declared: Space | None
    output: str | None
    session: Any

    @classmethod
    def open(  # noqa: PLR0913  # the options of the audit file's table
        cls,
        source: str,
        *,
        base: Path,
        classes: Sequence[str] = (),
        inputs: Sequence[str] = (),
        encode: str | None = None,
        state: str | None = None,
        space: str | None = None,
        output: str | None = None,
        threads: int = 1,
    ) -> Self:
        """Find the file, load it, and learn what it says of itself.

        Args:
            source: an ``.onnx`` file, relative to ``base``, with its weights inside.
            base: folder of the audit file; code and state are looked for there too.
            classes: names, in the order of the outputs; needed unless the file says them.
            inputs: the columns to show, in order; empty for those of the file or audit file.
            encode: ``module:function`` that makes the matrix the model reads; needs PyTorch.
            state: a JSON file that is handed to ``encode``.
            space: ``logits`` or ``probabilities``.
            output: which output to read, where there are several.
            threads: of one operator.

        Raises:
            ConfigError: where ONNX Runtime is not installed.
            ModelError: naming the file or option, its value and the next step.
        """
        require("onnxruntime", "onnx", "the adapter onnx")
        path = base / source
        if path.suffix.lower() != ".onnx":
            raise ModelError(f"{source}: models are read from an .onnx file, not {path.suffix!r}")
        if not path.is_file():
            raise ModelError(f"there is no file {source} (looked in {base.resolve()})")
        if space is not None and space not in get_args(Space):
            raise ModelError(f'space is "logits" or "probabilities", not {space!r}')
        if not isinstance(threads, int) or threads < 1:
            raise ModelError(f"threads must be a whole number from 1 on, not {threads!r}")
        state_path = None if state is None else base / state
        session = _session(path, threads)
        said_inside = session.get_modelmeta().custom_metadata_map
        function = None if encode is None else resolve(encode, base)
        _refuse_unencoded(path, said_inside, function)
        columns = (inputs,) if isinstance(inputs, str) else tuple(map(str, inputs))
        return cls(
            path=path,
            classes=_classes(path, classes, said_inside),
            encoder=Encoder(
                columns=columns or tuple(json.loads(said_inside.get("kdaudit.inputs", "[]"))),
                function=function,
                state={} if state_path is None else read_state(state_path),
            ),
            state=state_path,
            threads=threads,
            declared="logits" if space == "logits" else "probabilities" if space else None,
            output=output,
            session=session,
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """The input columns, in order; empty for those of the audit file."""
        if self.encoder.columns:
            return self.encoder.columns
        names = tuple(given.name for given in self.session.get_inputs())
        return names if len(names) > 1 else ()

    def identity(self) -> Mapping[str, str]:
        """Digests of file, code and state, and everything else the answers depend on."""
        encode = self.encoder.function
        library = {} if encode is None else versions("torch")
        return {
            "adapter": ADAPTER,
            "model": file_digest(self.path),
            "classes": json.dumps(self.classes),
            "inputs": json.dumps(self.columns),
            "encode": "" if encode is None else f"{encode.name} {encode.digest}",
            "state": "" if self.state is None else file_digest(self.state),
            "output": self._output,
            "space": " ".join(self._space),
            "threads": str(self.threads),
            **versions("onnxruntime"),
            **library,
        }

    def predict(self, columns: Columns) -> Outputs:
        """Logits or probabilities of N rows.

        Raises:
            ModelError: for a missing column, or what the model itself raised.
        """
        return Outputs(values=self._answers(self._fed(columns)), space=self._space[0])

    def parameters(self) -> None:
        """None: a graph does not tell weights from other constants."""

    def size(self) -> int:
        """Bytes of the file and of the encoder's state."""
        return self.path.stat().st_size + (0 if self.state is None else self.state.stat().st_size)

    def _fed(self, columns: Columns) -> dict[str, npt.NDArray[Any]]:
        """The graph's inputs by name."""
        inputs = self.session.get_inputs()
        if self.encoder.function is not None:
            encoded = self.encoder(columns).numpy()
            return {inputs[0].name: encoded.astype(_kind(inputs[0]), copy=False)}
        shown = select(columns, self.columns)
        if len(inputs) > 1:
            return {
                given.name: _column(given, name, column)
                for given, (name, column) in zip(inputs, shown.items(), strict=True)
            }
        (given,) = inputs
        if given.type == "tensor(string)" or len(given.shape) == 1:
            if len(shown) != 1:
                raise ModelError(
                    f"{self.path.name} reads one column, and there are {len(shown)} "
                    f'({", ".join(shown)}); name it, e.g. inputs = ["{next(iter(shown), "x")}"]'
                )
            ((name, column),) = shown.items()
            return {given.name: _column(given, name, column)}
        matrix(shown, 'say how to encode it: encode = "module:function"')  # refuses text
        cells = [_exactly(given, name, column) for name, column in shown.items()]
        return {given.name: np.stack(cells, axis=1)}

    def _answers(self, fed: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.floating]:
        """(N, C), by as many rows at once as the graph takes."""
        rows = len(next(iter(fed.values())))
        fixed = self.session.get_inputs()[0].shape[0]
        size = fixed if isinstance(fixed, int) and fixed > 0 else max(1, rows)
        found = [np.empty((0, len(self.classes)), np.float32)]
        for start in range(0, rows, size):
            part = {name: values[start : start + size] for name, values in fed.items()}
            lacking = size - len(next(iter(part.values())))
            if lacking:  # a graph of a fixed batch: fill it up, and forget those answers
                part = {
                    name: np.concatenate([x, np.repeat(x[-1:], lacking, axis=0)])
                    for name, x in part.items()
                }
            found.append(self._run(part)[: size - lacking])
        return np.concatenate(found)

    def _run(self, fed: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.floating]:
        try:
            (answer,) = self.session.run([self._output], dict(fed))
        except Exception as error:  # ONNX Runtime has its own classes, and Python's
            raise ModelError(f"{self.path.name} failed: {said(error)[:300]}") from error
        if isinstance(answer, list):
            answer = self._unmapped(answer)
        rows, width = len(next(iter(fed.values()))), len(self.classes)
        values: npt.NDArray[np.floating] = np.asarray(answer)
        if values.shape != (rows, width):
            raise ModelError(
                f"{self.path.name} answers {values.shape} to {rows} rows by its output "
                f"{self._output!r}, and classes names {width}; needed is ({rows}, {width})"
            )
        return values

    def _unmapped(self, answer: Sequence[Mapping[Any, float]]) -> npt.NDArray[np.float32]:
        """One map per row as a matrix; names that are text must be those of the classes."""
        keys = list(answer[0])
        if all(isinstance(key, str) for key in keys):
            if set(keys) != set(self.classes):
                raise ModelError(
                    f"{self.path.name} calls its classes {sorted(keys)}, and classes says "
                    f"{list(self.classes)}; name the same, and rename = {{ ... }} them if needed"
                )
            keys = list(self.classes)
        else:
            keys = sorted(keys)
        return np.array([[row[key] for key in keys] for row in answer], np.float32)

    @cached_property
    def _output(self) -> str:
        """The output that holds one number per class."""
        outputs: dict[str, Any] = {one.name: one for one in self.session.get_outputs()}
        if self.output is not None:
            if self.output not in outputs:
                raise ModelError(f"{self.path.name}: {unknown('output', self.output, outputs)}")
            return self.output
        found = [name for name, one in outputs.items() if _holds_numbers(one)]
        named: list[str] = [name for name in found if _by_name(name)]
        if len(found) != 1 and len(named) != 1:
            raise ModelError(
                f"{self.path.name} has the outputs {', '.join(outputs)}; say which one holds a "
                f'number per class, e.g. output = "{(found or [*outputs])[0]}"'
            )
        return named[0] if len(named) == 1 else found[0]

    @cached_property
    def _space(self) -> tuple[Space, str]:
        """Logits or probabilities, and what says so."""
        if self.declared is not None:
            return self.declared, "(declared)"
        facts = self.session.get_modelmeta().custom_metadata_map
        if facts.get("kdaudit.space") == "logits":
            return "logits", "(the file says so)"
        named = _by_name(self._output)
        if named is not None:
            return named, "(by the name of its output)"
        values = self._answers({x.name: _made_up(x, self.path) for x in self.session.get_inputs()})
        sums = np.abs(values.sum(axis=1) - 1).max() < CLOSE
        inside = values.min() >= -CLOSE
        return ("probabilities" if sums and inside else "logits"), "(by the sums of its answers)"


def _session(path: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.use_deterministic_compute = True
    options.log_severity_level = 4  # what goes wrong is raised; it need not be printed too
    # Weights in other files would not be in the digest: they are looked for where no file can be.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.resolve())
    )
    try:
        return onnxruntime.InferenceSession(
            path.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has its own classes, and Python's
        remedy = ""
        if "locale" in str(error):
            remedy = (
                '; install that locale, or set the attribute locale = "C.UTF-8" on the '
                "StringNormalizer nodes and save the model again"
            )
        elif "external data" in str(error).lower():
            remedy = (
                "; its weights lie in other files: save it as one file, with "
                "onnx.save(model, path, save_as_external_data=False)"
            )
        raise ModelError(f"{path.name} cannot be loaded: {said(error)[:300]}{remedy}") from error


def _classes(path: Path, declared: Sequence[str], inside: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(map(str, declared or json.loads(inside.get("kdaudit.classes", "[]"))))
    if isinstance(declared, str) or len(set(names)) < max(2, len(names)):
        raise ModelError(
            f"{path.name}: say what its outputs mean, in their order, e.g. classes = "
            f'["no", "yes"]: two or more different names, got {declared!r}'
        )
    return names


def _refuse_unencoded(path: Path, inside: Mapping[str, str], function: Code | None) -> None:
    needed = inside.get("kdaudit.encode")
    if needed and function is None:
        raise ModelError(
            f"{path.name} reads what {needed} makes of the input columns; name it, as encode = "
            f'"{needed}", and the state.json of its model folder as state = "..."'
        )


def _holds_numbers(given: Any) -> bool:
    return str(given.type).startswith(MAPS) or (
        given.type in ("tensor(float)", "tensor(double)", "tensor(float16)")
        and len(given.shape) in (0, 2)
    )


def _by_name(output: str) -> Space | None:
    """What a name says of an output.

    >>> _by_name("output_probability"), _by_name("Logits"), _by_name("dense_1")
    ('probabilities', 'logits', None)
    """
    name = output.lower()
    told: list[Space] = []
    told += ["probabilities"] if "prob" in name or "softmax" in name else []
    told += ["logits"] if "logit" in name else []
    return told[0] if len(told) == 1 else None


def _kind(given: Any) -> Any:
    if given.type not in TYPES:
        raise ModelError(f"the input {given.name} wants {given.type}, which no column is")
    return TYPES[given.type]


def _column(given: Any, name: str, column: npt.NDArray[np.generic]) -> npt.NDArray[Any]:
    """One column in the type and rank of an input."""
    values: npt.NDArray[Any]
    if given.type == "tensor(string)":
        # ONNX has no missing text; what serves such a model hands it an empty one.
        values = np.array(texts(column), dtype=object)
    elif is_text(column) and column.dtype != object:
        raise ModelError(f"the input {given.name} wants {given.type}, and {name!r} holds dates")
    else:
        values = _exactly(given, name, column)
    return values[:, None] if len(given.shape) == 2 else values


def _exactly(given: Any, name: str, column: npt.NDArray[np.generic]) -> npt.NDArray[Any]:
    """A column of numbers in the type of an input, every cell as it is.

    Raises:
        UnfitRowError: for an empty cell, a fraction or a number out of range where the input takes
            whole numbers or truth values; or for text.
    """
    kind, shown = np.dtype(_kind(given)), typed(column)
    if shown.dtype == object:
        for row, cell in enumerate(shown.tolist()):
            if isinstance(cell, str):
                raise UnfitRowError(
                    f"the input {given.name} wants {given.type}, and column {name!r} holds text, "
                    f"{cell!r}",
                    row,
                )
        shown = np.array([np.nan if cell is None else cell for cell in shown], dtype=object)
    if kind.kind == "f":
        return shown.astype(kind)
    numbers = shown.astype(np.float64)
    least, most = (0, 1) if kind.kind == "b" else (np.iinfo(kind).min, np.iinfo(kind).max)
    with np.errstate(invalid="ignore"):
        unfit = (numbers != np.trunc(numbers)) | (numbers < least) | (numbers > most)
    unfit |= ~np.isfinite(numbers)
    if unfit.any():
        row = int(np.flatnonzero(unfit)[0])
        cell = "an empty cell" if np.isnan(numbers[row]) else f"{shown[row]}"
        raise UnfitRowError(
            f"the input {given.name} wants {given.type}, and column {name!r} holds {cell}; show it "
            "whole numbers in its range, or leave the row out of the audit and say so",
            row,
        )
    return shown.astype(kind) if shown.dtype.kind in "iub" else numbers.astype(kind)


def _made_up(given: Any, path: Path) -> npt.NDArray[Any]:
    """A few rows for one input, always the same."""
    if given.type == "tensor(string)":
        cells = np.array(["a", "b c", "d", "e f g", "h"], dtype=object)[:PROBE_ROWS]
        return cells[:, None] if len(given.shape) == 2 else cells
    shape = [PROBE_ROWS, *given.shape[1:]]
    if not all(isinstance(size, int) for size in shape):
        raise ModelError(
            f'{path.name}: say whether it answers with logits or probabilities: space = "logits"'
        )
    seed = int.from_bytes(hashlib.sha256(given.name.encode()).digest()[:4], "big")
    drawn = np.random.default_rng(seed).normal(size=shape)
    kind = _kind(given)
    return drawn.astype(kind) if np.issubdtype(kind, np.floating) else np.zeros(shape, kind)
