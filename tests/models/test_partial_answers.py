"""Files of logits, counts and the likeliest few: read as they are, refused where they are not."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from kdaudit.errors import DataError
from kdaudit.models.adapter import Answers
from kdaudit.models.predictions import PredictionsFile


def saved(folder: Path, table: pd.DataFrame, name: str = "teacher.csv") -> Answers:
    path = folder / name
    if name.endswith(".csv"):
        table.to_csv(path, index=False)
    elif name.endswith(".parquet"):
        table.to_parquet(path)
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in table.to_dict("records")))
    return PredictionsFile.open(name, base=folder).answers("id", ())


def lines(folder: Path, *cells: object) -> Answers:
    rows = [{"id": f"r{i}", "top_logprobs": cell} for i, cell in enumerate(cells)]
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (folder / "t.jsonl").write_text(text)
    return PredictionsFile.open("t.jsonl", base=folder).answers("id", ())


def test_logits_are_whole_distributions(tmp_path: Path) -> None:
    z = np.array([[1.0, 3.0], [700.0, -700.0]])
    table = pd.DataFrame({"id": ["a", "b"], "logit_no": z[:, 0], "logit_yes": z[:, 1]})
    found = saved(tmp_path, table)
    assert found.classes == ("no", "yes")
    assert found.probabilities is not None
    np.testing.assert_allclose(found.probabilities, softmax(z, axis=1))
    missing = saved(tmp_path, table.assign(logit_no=[np.nan, 0.0]))
    assert missing.probabilities is not None
    assert np.isnan(missing.probabilities[0]).all()


def test_counts_are_shares_and_keep_how_many_there_were(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["a", "b", "c"], "count_x": [3, 0, 0], "count_y": [1, 5, 0]})
    found = saved(tmp_path, table)
    assert found.probabilities is not None
    assert found.probabilities[:2].tolist() == [[0.75, 0.25], [0.0, 1.0]]
    assert np.isnan(found.probabilities[2]).all()
    assert found.draws is not None
    assert found.draws.tolist() == [4, 5, 0]


@pytest.mark.parametrize("wrong", [0.5, -1.0])
def test_counts_are_whole_numbers(tmp_path: Path, wrong: float) -> None:
    table = pd.DataFrame({"id": ["a", "b"], "count_x": [3.0, wrong], "count_y": [1.0, 1.0]})
    with pytest.raises(
        DataError, match=rf"'count_x' must hold counts .* data row 2 holds {wrong:g}"
    ):
        saved(tmp_path, table)


LISTED = [{"blue": -0.1, "red": -3.0}, {"green": -0.5, "blue": -1.5}]


def test_the_likeliest_few_are_read_from_every_form(tmp_path: Path) -> None:
    wide = pd.DataFrame(
        {
            "id": ["r0", "r1"],
            "top_1": ["blue", "green"],
            "logprob_1": [-0.1, -0.5],
            "top_2": ["red", "blue"],
            "logprob_2": [-3.0, -1.5],
        }
    )
    as_list = [[{"token": k, "logprob": v} for k, v in row.items()] for row in LISTED]
    text = pd.DataFrame({"id": ["r0", "r1"], "top_logprobs": [json.dumps(row) for row in LISTED]})
    nested = pd.DataFrame({"id": ["r0", "r1"], "top_logprobs": LISTED})
    every = [
        saved(tmp_path, wide),
        saved(tmp_path, wide, "t.parquet"),
        lines(tmp_path, *LISTED),
        lines(tmp_path, *as_list),
        saved(tmp_path, text),
        saved(tmp_path, nested, "t.parquet"),
        saved(tmp_path, pd.DataFrame({"id": ["r0", "r1"], "top_logprobs": as_list}), "t.parquet"),
    ]
    expected = np.exp([[-0.1, -np.inf, -3.0], [-1.5, -0.5, -np.inf]])
    for found in every:
        assert found.classes == ("blue", "green", "red")
        assert found.probabilities is None
        assert found.listed is not None
        np.testing.assert_allclose(found.listed, expected)
        assert found.labels is not None
        assert found.labels.tolist() == ["blue", "green"]


def test_a_row_without_answers_has_none(tmp_path: Path) -> None:
    found = lines(tmp_path, LISTED[0], None, {})
    assert found.listed is not None
    assert np.isnan(found.listed).all(axis=1).tolist() == [False, True, True]
    assert found.labels is not None
    assert found.labels.tolist() == ["blue", None, None]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ({"a": 0.7, "b": 0.3}, "log-probability of 'a' is 0.7; it is at most 0"),
        ({"a": -0.1, "b": -0.1}, "add up to more than 1, e.g. to 1.810 in data row 2"),
        ([{"token": "a", "logprob": -1.0}, {"token": "a", "logprob": -2.0}], "lists 'a' twice"),
        ([1, 2], r"must hold \{class: logprob\} .* data row 2 holds"),
        ("not json", "data row 2 holds 'not json'"),
        ({"a": "much"}, "data row 2 holds"),
    ],
    ids=str,
)
def test_what_is_no_list_of_log_probabilities_is_refused(
    tmp_path: Path, cell: object, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        lines(tmp_path, LISTED[0], cell)


def test_a_class_without_its_log_probability_is_refused(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": ["a"], "top_1": ["x"]})
    with pytest.raises(DataError, match="has top_1 and no logprob_1"):
        saved(tmp_path, table)


def test_older_columns_go_before(tmp_path: Path) -> None:
    """A file that was read as probabilities, or labels, still is, whatever else it holds."""
    more = {"id": ["a"], "count_words": [7], "prediction": ["x"]}
    assert saved(tmp_path, pd.DataFrame(more)).labels is not None
    found = saved(tmp_path, pd.DataFrame({**more, "p_x": [0.6], "p_y": [0.4]}))
    assert (found.classes, found.draws) == (("x", "y"), None)
