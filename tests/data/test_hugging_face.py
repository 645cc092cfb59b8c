"""Data sets of the library `datasets`: labels by name, splits as a column."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdaudit.data.readers import read
from kdaudit.errors import DataError

datasets: Any = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def made(**columns: list[Any]) -> Any:
    features = datasets.Features(
        {
            "text": datasets.Value("string"),
            "label": datasets.ClassLabel(names=["no", "yes"]),
            **{name: datasets.Value("string") for name in columns if name not in ("text", "label")},
        }
    )
    rows = {"text": ["a", "b", "c"], "label": [1, 0, -1], **columns}
    return datasets.Dataset.from_dict(rows, features=features)


def test_labels_are_named_and_no_label_is_an_empty_cell(tmp_path: Path) -> None:
    made().save_to_disk(tmp_path / "d")
    source = read("datasets:d", tmp_path)
    assert source.table.columns.tolist() == ["text", "label"]
    assert source.table.label.fillna("none").tolist() == ["yes", "no", "none"]
    assert source.name == "datasets:d"


def test_splits_become_a_column(tmp_path: Path) -> None:
    both = datasets.DatasetDict(train=made(), test=made().select([1]))
    both.save_to_disk(tmp_path / "d")
    table = read("datasets:d", tmp_path).table
    assert table.split.tolist() == ["train", "train", "train", "test"]
    assert table.text.tolist() == ["a", "b", "c", "b"]


def test_the_digest_is_that_of_the_rows_and_of_the_names_of_classes(tmp_path: Path) -> None:
    first = made()
    first.save_to_disk(tmp_path / "a")
    first.save_to_disk(tmp_path / "b")
    made(text=["a", "b", "d"]).save_to_disk(tmp_path / "c")
    renamed = first.cast_column("label", datasets.ClassLabel(names=["yes", "no"]))
    renamed.save_to_disk(tmp_path / "d")
    digests = [read(f"datasets:{name}", tmp_path).sha256 for name in "abcd"]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_a_column_called_split_beside_splits_is_refused(tmp_path: Path) -> None:
    one = made(split=["x", "y", "z"])
    datasets.DatasetDict(train=one).save_to_disk(tmp_path / "d")
    with pytest.raises(DataError, match=r"has the splits 'train' and also a column 'split'"):
        read("datasets:d", tmp_path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("datasets:nobody/nothing", "there is no folder nobody/nothing .* fetched from the hub"),
        ("datasets:empty", "the folder cannot be read: .*save_to_disk"),
    ],
)
def test_what_is_not_there_is_named(tmp_path: Path, source: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=words):
        read(source, tmp_path)


def test_without_the_library_the_message_says_how_to_install_it(tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['datasets'] = None\n"
        "from pathlib import Path; from kdaudit.data.readers import read\n"
        "read('datasets:d', Path())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "pip install 'kdaudit[datasets]'" in done.stderr


def test_reading_other_files_loads_no_datasets() -> None:
    script = "import kdaudit.data.readers, sys; sys.exit('datasets' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
