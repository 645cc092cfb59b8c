"""Evidence is written whole or not at all, by one writer or two, and damage is seen."""

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from kdaudit.errors import ConfigError, DamagedError, DataError, ExitCode
from kdaudit.evidence.store import Entry, Store, write_atomically

KEY = {"model": {"sha256": "abc"}, "split": "audit"}


def table(*values: float) -> pa.Table:
    return pa.table({"x": list(values)})


def sealed(root: Path, parts: int = 2) -> Entry:
    entry = Store(root).entry("predictions", KEY)
    for number in range(parts):
        entry.write(number, table(number, number + 0.5))
    entry.seal(parts)
    return entry


def test_what_was_written_is_read_back_in_order(tmp_path: Path) -> None:
    entry = sealed(tmp_path, parts=12)
    assert entry.read().column("x").to_pylist()[:4] == [0, 0.5, 1, 1.5]
    assert entry.read().num_rows == 24


def test_the_same_key_is_the_same_place_in_whatever_order(tmp_path: Path) -> None:
    store = Store(tmp_path)
    turned = dict(reversed(KEY.items()))
    assert store.entry("predictions", KEY) == store.entry("predictions", turned)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("predictions", KEY | {"split": "transfer"}),
        ("predictions", KEY | {"model": {"sha256": "abd"}}),
        ("predictions", KEY | {"more": 1}),
        ("timings", KEY),
    ],
)
def test_another_key_is_another_place(tmp_path: Path, kind: str, key: dict[str, object]) -> None:
    store = Store(tmp_path)
    assert store.entry(kind, key).folder != store.entry("predictions", KEY).folder


def test_the_key_is_kept_for_people(tmp_path: Path) -> None:
    entry = Store(tmp_path).entry("predictions", KEY)
    said = json.loads((entry.folder / "key.json").read_text("utf-8"))
    assert said == KEY | {"format": 1, "kind": "predictions"}


def test_parts_without_a_seal_are_incomplete(tmp_path: Path) -> None:
    entry = Store(tmp_path).entry("predictions", KEY)
    entry.write(0, table(1.0))
    assert entry.has(0)
    assert not entry.has(1)
    assert not entry.sealed
    with pytest.raises(DamagedError, match="cannot be read"):
        entry.read()


def spoil(entry: Entry, name: str, content: bytes | None) -> None:
    if content is None:
        (entry.folder / name).unlink()
    else:
        (entry.folder / name).write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("part-00001.parquet", None),
        ("part-00001.parquet", b""),
        ("part-00001.parquet", b"PAR1 something else"),
        ("manifest.json", b""),
        ("manifest.json", b"[]"),
        ("manifest.json", b"null"),
        ("manifest.json", b"{}"),
        ("manifest.json", b'{"parts": []}'),
        ("manifest.json", b"\xff"),
    ],
)
def test_damage_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes | None) -> None:
    entry = sealed(tmp_path)
    spoil(entry, name, content)
    with pytest.raises(DamagedError, match=r"delete .* in the store and run again") as caught:
        entry.read()
    assert caught.value.exit_code is ExitCode.DAMAGED
    assert entry.digest in str(caught.value)


def test_one_bit_is_damage(tmp_path: Path) -> None:
    entry = sealed(tmp_path)
    data = bytearray(entry.part(0).read_bytes())
    data[len(data) // 2] ^= 1
    entry.part(0).write_bytes(data)
    with pytest.raises(DamagedError, match=r"part-00000\.parquet is missing or is not what was"):
        entry.read()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "card.html"
    write_atomically(path, b"old")

    def fail(_self: Path, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(DataError, match=rf"{tmp_path} cannot be written \(No space"):
        write_atomically(path, b"new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_between_writing_and_renaming_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_self: Path, _target: Path) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "part", b"x")
    assert list(tmp_path.iterdir()) == []


def test_of_two_writers_of_a_part_the_first_wins(tmp_path: Path) -> None:
    one, two = (Store(tmp_path).entry("predictions", KEY) for _ in range(2))
    one.write(0, table(1.0))
    one.seal(1)
    two.write(0, table(2.0))  # another answer to the same question, too late
    two.seal(1)
    assert one.read().column("x").to_pylist() == [1.0]


def _write_noise(root: str, barrier: "multiprocessing.synchronize.Barrier") -> None:
    entry = Store(Path(root)).entry("predictions", KEY)
    rng = np.random.default_rng(os.getpid())
    barrier.wait()
    for number in range(8):
        if not entry.has(number):
            entry.write(number, pa.table({"x": rng.normal(size=2000)}))
    entry.seal(8)
    assert entry.read().num_rows == 16000


def test_two_processes_may_write_the_same_set(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    writers = [
        context.Process(target=_write_noise, args=(str(tmp_path), barrier)) for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    entry = Store(tmp_path).entry("predictions", KEY)
    assert entry.read().num_rows == 16000
    assert not [path for path in entry.folder.iterdir() if path.name.startswith(".")]


def test_the_store_lies_beside_the_audit_file_or_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    assert Store.beside(tmp_path).root == tmp_path / ".kdaudit"
    monkeypatch.setenv("KDAUDIT_STORE", str(tmp_path / "elsewhere"))
    assert Store.beside(tmp_path).root == tmp_path / "elsewhere"
    (tmp_path / "elsewhere").write_text("a file")
    with pytest.raises(ConfigError, match="elsewhere is a file; the store of evidence is a folder"):
        Store.beside(tmp_path)
