"""Timings that were taken elsewhere: read strictly, and laid beside each other."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdaudit.errors import DataError
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Timings
from kdaudit.evidence.serving import Serving, aligned, blocks, paired
from kdaudit.evidence.serving_file import read_serving


def table(size: int = 40, scenario: str = "server") -> pd.DataFrame:
    due = np.arange(size) * 0.5
    return pd.DataFrame(
        {
            "request": [f"r{i}" for i in range(size)],
            "scenario": scenario,
            "scheduled_s": due,
            "sent_s": due + 0.001,
            "first_token_s": due + 0.1,
            "last_token_s": due + 0.3,
            "tokens_in": 10 + np.arange(size),
            "tokens_out": 21,
            "bytes_out": 80,
        }
    )


def read(folder: Path, rows: pd.DataFrame, name: str = "device.csv") -> Serving:
    rows.to_csv(folder / name, index=False)
    return read_serving(name, folder, "Pixel 8, 4 threads")[0]


def test_a_file_is_read_as_it_stands(tmp_path: Path) -> None:
    rows = table().assign(joules=0.5)
    rows.loc[3, ["first_token_s", "last_token_s"]] = np.nan
    one = read(tmp_path, rows)
    assert (len(one), one.hardware, one.origin) == (
        40,
        "Pixel 8, 4 threads",
        "recorded in device.csv",
    )
    np.testing.assert_allclose((one.first - one.scheduled)[:3], 0.1)
    assert np.flatnonzero(~one.answered).tolist() == [3]
    assert (one.joules == 0.5).all()
    assert np.bincount(one.block).tolist() == [10, 10, 10, 10]


def test_one_after_the_other_a_request_is_due_when_it_is_sent(tmp_path: Path) -> None:
    one = read(tmp_path, table(scenario="single-stream").drop(columns="scheduled_s"))
    np.testing.assert_array_equal(one.scheduled, one.sent)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("scheduled_s", None, r"row 3, column 'scheduled_s' is empty; latency under load counts"),
        ("sent_s", None, r"row 3, column 'sent_s' is empty"),
        ("sent_s", 0.5, r"row 3, column 'sent_s' holds 0.5, which is before scheduled_s"),
        ("first_token_s", 1.0, r"row 3, column 'first_token_s' holds 1.0, which is before sent_s"),
        ("last_token_s", 1.05, r"column 'last_token_s' holds 1.05, which is before first_token_s"),
        ("last_token_s", None, r"row 3, column 'last_token_s' is empty though there is a first"),
        ("last_token_s", "inf", r"row 3, column 'last_token_s' holds inf, which is no time"),
        ("last_token_s", "1.3s", r"column 'last_token_s' must hold numbers; data row 3 holds '1.3"),
        ("tokens_out", 2.5, r"row 3, column 'tokens_out' holds 2.5, which is no count"),
        ("tokens_in", -1, r"row 3, column 'tokens_in' holds -1.0, which is no count"),
        ("joules", -1, r"row 3, column 'joules' holds -1.0, which is no amount"),
        ("scenario", "serve", r"row 3, column 'scenario': unknown .* Did you mean 'server'"),
        ("request", "r1", r"row 3, column 'request' holds r1, which stands twice in its scenario"),
        ("request", None, r"row 3, column 'request' is empty"),
        ("tokens", 3, r"unknown column of timings 'tokens'. Did you mean 'tokens_"),
    ],
)
def test_what_cannot_be_is_refused_by_row_and_column(
    column: str, value: str | float | None, words: str, tmp_path: Path
) -> None:
    rows = table().assign(joules=1.0).astype(object)
    if column not in rows:
        rows[column] = 0
    rows.loc[2, column] = value
    with pytest.raises(DataError, match=words):
        read(tmp_path, rows)


@pytest.mark.parametrize("column", ["request", "scenario", "sent_s", "last_token_s"])
def test_a_column_that_is_missing_is_named(column: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"unknown column for .* '{column}'"):
        read(tmp_path, table().drop(columns=column))


def test_requests_are_laid_beside_each_other_in_one_order(tmp_path: Path) -> None:
    student = read(tmp_path, table())
    teacher = read(tmp_path, table().iloc[::-1].drop(index=[5, 7]))
    none = NotMeasured("the audit has no baseline")
    found = aligned({"student": student, "teacher": teacher, "baseline": none})
    one, other = found["student"], found["teacher"]
    assert isinstance(one, Serving)
    assert isinstance(other, Serving)
    np.testing.assert_array_equal(one.request, other.request)
    np.testing.assert_array_equal(one.block, other.block)
    absent = np.flatnonzero(~other.answered)
    assert one.request[absent].tolist() == ["r5", "r7"]
    assert np.isnan(other.sent[absent]).all()
    both = one.answered & other.answered
    np.testing.assert_array_equal(one.last[both], other.last[both])
    assert one.comparable
    assert other.comparable
    assert found["baseline"] == none


def test_another_order_is_not_comparable(tmp_path: Path) -> None:
    student, rows = read(tmp_path, table()), table()
    swapped = rows.assign(request=rows.request.to_numpy()[[1, 0, *range(2, 40)]])
    found = aligned({"student": student, "teacher": read(tmp_path, swapped)})
    assert isinstance(found["teacher"], Serving)
    assert not found["teacher"].comparable


def test_batches_are_what_is_due_at_once() -> None:
    due = np.array([4.0, 4.0, 1.0, 1.0, 9.0])
    offline = np.full(5, "offline", dtype=object)
    assert blocks(offline, due).tolist() == [1, 1, 0, 0, 2]


def single(folder: Path, slower: float = 1.0, hardware: str = "a") -> Serving:
    rows = table(scenario="single-stream")
    rows["last_token_s"] = rows.scheduled_s + 0.3 * slower
    rows["first_token_s"] = rows.scheduled_s + 0.1 * slower
    rows.to_csv(folder / "x.csv", index=False)
    return read_serving("x.csv", folder, hardware)[0]


def test_a_pair_on_the_same_hardware_has_times_to_compare(tmp_path: Path) -> None:
    found = paired(single(tmp_path), single(tmp_path, 2.0), {})
    assert isinstance(found, Timings)
    np.testing.assert_allclose(found.teacher, 0.6 - 0.001)
    np.testing.assert_allclose(found.student, 0.3 - 0.001)
    assert found.machine == (("processor", "a"),)


def test_a_pair_on_different_hardware_has_none(tmp_path: Path) -> None:
    found = paired(single(tmp_path), single(tmp_path, 2.0, hardware="b"), {})
    assert found == NotMeasured(
        "the student was timed on a and the reference on b: times of different hardware make no "
        "comparison of models"
    )


def test_a_ratio_does_not_leave_out_what_failed(tmp_path: Path) -> None:
    one = single(tmp_path)
    broken = replace(one, last=np.where(np.arange(40) == 3, np.nan, one.last))
    found = paired(broken, one, {})
    assert isinstance(found, NotMeasured)
    assert found.reason.startswith("1 of 40 single-stream requests have no answer")
