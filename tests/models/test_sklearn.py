import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from skops.io import dump

from kdaudit.data.columns import as_input
from kdaudit.data.readers import read
from kdaudit.errors import ModelError
from kdaudit.models.adapter import Runnable
from kdaudit.models.sklearn import SklearnModel


def saved(model: Any, folder: Path) -> Any:
    dump(model, folder / "m.skops")
    return SklearnModel.open("m.skops", base=folder)


def digits() -> tuple[pd.DataFrame, dict[str, Any], Any]:
    data, target = load_digits(return_X_y=True)
    names = [f"p{i}" for i in range(10)]
    table = pd.DataFrame(data[:300, 20:30], columns=names)
    return table, {name: table[name].to_numpy() for name in names}, target[:300]


def test_probabilities_are_those_of_the_fitted_model_in_order_of_its_classes(
    tmp_path: Path,
) -> None:
    table, columns, target = digits()
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(table, target)
    adapter = saved(model, tmp_path)
    assert isinstance(adapter, Runnable)
    assert adapter.classes == tuple("0123456789")
    assert adapter.columns == tuple(table)
    outputs = adapter.predict(
        {**dict(sorted(columns.items(), reverse=True)), "other": np.zeros(len(table))}
    )
    np.testing.assert_array_equal(outputs.values, model.predict_proba(table))
    assert outputs.space == "probabilities"
    assert adapter.parameters() is None
    assert adapter.size() == (tmp_path / "m.skops").stat().st_size


def test_a_model_of_a_matrix_gets_the_numbers_as_a_matrix(tmp_path: Path) -> None:
    table, columns, target = digits()
    model = LogisticRegression(max_iter=1000).fit(table.to_numpy() / 16, target)
    adapter = saved(model, tmp_path)
    assert adapter.columns == ()
    scaled = {name: column / 16 for name, column in columns.items()}
    expected = model.predict_proba(table.to_numpy() / 16)
    np.testing.assert_allclose(adapter.predict(scaled).values, expected)


def test_a_text_pipeline_gets_its_one_column_of_text(tmp_path: Path) -> None:
    text = np.array(["good day", "bad day", "good night", "bad night"], dtype=object)
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(text, ["+", "-", "+", "-"])
    outputs = saved(model, tmp_path).predict({"message": text})
    np.testing.assert_allclose(outputs.values, model.predict_proba(text))


def test_labels_that_are_whole_numbers_read_as_labels_do(tmp_path: Path) -> None:
    model = LogisticRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    assert saved(model, tmp_path).classes == ("0", "1")


def test_the_identity_changes_with_the_file(tmp_path: Path) -> None:
    first = saved(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), tmp_path).identity()
    second = saved(LogisticRegression(C=2).fit([[0.0], [1.0]], [0, 1]), tmp_path).identity()
    assert first["model"] != second["model"]


def test_untrusted_types_are_listed_as_the_line_to_add(tmp_path: Path) -> None:
    step = FunctionTransformer(np.sqrt)
    dump(
        make_pipeline(step, LogisticRegression()).fit([[0.0], [1.0]], [0, 1]), tmp_path / "m.skops"
    )
    step = FunctionTransformer(digits)
    dump(make_pipeline(step, LogisticRegression()), tmp_path / "n.skops")
    with pytest.raises(ModelError, match=r'add: trusted = \["[\w.]*digits"\]'):
        SklearnModel.open("n.skops", base=tmp_path)
    with pytest.raises(ModelError, match=r'add: trusted = \["a\.B", "[\w.]*digits"\]'):
        SklearnModel.open("n.skops", base=tmp_path, trusted=["a.B"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("m.pkl", "opening a pickle runs whatever code it holds"),
        ("m.joblib", "skops.io.dump(model, 'm.skops')"),
        ("m.txt", "not '.txt'"),
        ("none.skops", "there is no file none.skops"),
        ("cut.skops", "cut.skops cannot be read by skops"),
        ("ridge.skops", "a RidgeClassifier gives no probabilities"),
    ],
)
def test_what_cannot_be_opened_says_why(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "cut.skops").write_bytes(b"PK\x03\x04")
    dump(RidgeClassifier().fit([[0.0], [1.0]], [0, 1]), tmp_path / "ridge.skops")
    with pytest.raises(ModelError, match=re.escape(words)):
        SklearnModel.open(source, base=tmp_path)


def test_a_missing_column_and_a_wrong_one_are_named(tmp_path: Path) -> None:
    table, columns, target = digits()
    adapter = saved(LogisticRegression(max_iter=9, tol=9).fit(table, target), tmp_path)
    with pytest.raises(ModelError, match="unknown input column 'p0'"):
        adapter.predict({"p1": columns["p1"]})
    with pytest.raises(ModelError, match=r"m\.skops failed: ValueError: could not convert"):
        adapter.predict({**columns, "p3": np.array(["x"] * len(table), dtype=object)})


MISSING = np.random.default_rng(0).random(400) < 0.2
BASE = np.random.default_rng(1).integers(0, 4, 400)
CELLS: dict[str, pd.Series] = {
    "text": pd.Series(np.array(["n", "s", "e", "w"], object)[BASE]),
    "text with gaps": pd.Series(np.array(["n", "s", "e", "w"], object)[BASE]).mask(MISSING),
    "truth": pd.Series(BASE % 2 == 0),
    "truth with gaps": pd.Series(BASE % 2 == 0).astype(object).mask(MISSING),
    "whole": pd.Series(BASE),
    "whole with gaps": pd.Series(BASE).astype("Int64").mask(MISSING),
    "digits": pd.Series(np.array(["02134", "02139", "10001", "60601"], object)[BASE]),
    "digits with gaps": pd.Series(
        np.array(["02134", "02139", "10001", "60601"], object)[BASE]
    ).mask(MISSING),
    "NA": pd.Series(np.array(["NA", "EU", "AS", "AF"], object)[BASE]),
    "truth as text": pd.Series(np.array(["True", "False"], object)[BASE % 2]),
    "dates": pd.Series(pd.to_datetime("2024-01-01") + pd.to_timedelta(BASE, unit="D")),
}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("encoder", ["one-hot", "imputed", "ordinal"])
def test_a_model_is_shown_what_it_was_fitted_on(
    tmp_path: Path, kind: str, name: str, encoder: str
) -> None:
    """Fitted on what pandas reads from a file, it answers that file as scikit-learn does."""
    x = np.random.default_rng(2).normal(size=400).round(3)
    label = np.where(BASE % 2 + x > 0.5, "yes", "no")
    table = pd.DataFrame({"c": CELLS[name], "x": x})
    path = tmp_path / f"d.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
        mine = pd.read_csv(path)
    else:
        table.to_parquet(path, index=False)
        mine = pd.read_parquet(path)
    steps: dict[str, Any] = {
        "one-hot": OneHotEncoder(handle_unknown="ignore"),
        "imputed": make_pipeline(
            SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
        ),
        "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    }
    columns = make_column_transformer((steps[encoder], ["c"]), ("passthrough", ["x"]))
    try:
        model = make_pipeline(columns, LogisticRegression()).fit(mine, label)
    except (ValueError, TypeError):
        pytest.skip("scikit-learn itself cannot be fitted on such a column")
    shown = read(path.name, tmp_path).table
    dump(model, tmp_path / "m.skops")
    adapter = SklearnModel.open("m.skops", base=tmp_path, trusted=["numpy.dtype"])
    found = adapter.predict({n: as_input(shown[n]) for n in ("c", "x")})
    np.testing.assert_allclose(found.values, model.predict_proba(mine), atol=1e-12)
