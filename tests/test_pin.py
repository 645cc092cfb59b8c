"""A confirmed slice becomes a check of the contract, and nothing else in the file changes."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdaudit.data.audit_file import read_audit_file
from kdaudit.pin import pin
from kdaudit.run_folder import RunFolder

Run = Callable[..., Any]
N = 6000
AUDIT = """# our audit: keep this comment
[audit]
name = "shop"    # and this one

[data]
path = "data.parquet"
label = "label"
slices = ["channel", "age", "store"]
sensitive = ["sex"]
text = "message"

[teacher]
predictions = "teacher.parquet"
[student]
predictions = "student.parquet"

[[contract]]
check = "ACC001"   # accuracy
margin = 0.05
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose student fails old customers on the web, audited once."""
    from kdaudit.execute import execute

    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(0)
    label = rng.integers(2, size=N)
    data = pd.DataFrame(
        {
            "id": [f"r{i:05d}" for i in range(N)],
            "label": np.where(label == 1, "yes", "no"),
            "channel": rng.choice(["app", 'the "web"', "shop"], N),
            "age": rng.integers(18, 80, N),
            "store": rng.choice(list("abcdefgh"), N),
            "sex": rng.choice(["f", "m"], N),
            "message": rng.choice(["not this", "that please"], N),
        }
    )
    hurt = (data.channel == 'the "web"') & (data.age >= 64)
    lost = rng.random(N) < np.where(hurt, 0.5, 0.08)
    for name, wrong in (("teacher", rng.random(N) < 0.08), ("student", lost)):
        answer = np.where(label ^ wrong == 1, "yes", "no")
        pd.DataFrame({"id": data.id, "prediction": answer}).to_parquet(folder / f"{name}.parquet")
    data.to_parquet(folder / "data.parquet")
    (folder / "audit.toml").write_text(AUDIT, "utf-8")
    execute(folder / "audit.toml")
    return folder


@pytest.fixture
def shop(made: Path) -> Path:
    """The same folder, its audit file as it was."""
    (made / "audit.toml").write_text(AUDIT, "utf-8")
    return made


def worst(folder: Path) -> str:
    found = RunFolder(folder / "kdaudit-out" / "shop").results().findings()
    (slice_address,) = [f.address for f in found if f.code == "SLC004"]
    return slice_address


def test_the_slice_that_was_planted_is_confirmed(shop: Path) -> None:
    assert worst(shop).startswith("SLC004[age=6")
    assert worst(shop).endswith('and over,channel=the "web"]')


@pytest.mark.parametrize("place", ["audit.toml", "kdaudit-out/shop"])
def test_a_check_is_added_and_every_other_byte_stays(shop: Path, place: str) -> None:
    done = pin(worst(shop), shop / place)
    text = (shop / "audit.toml").read_text("utf-8")
    assert text == AUDIT + "\n" + done.entry
    check = read_audit_file(shop / "audit.toml").contract[-1]
    assert check.check == "SLC001"
    assert check.margin == 0.05  # the contract's own
    assert check.where["channel"] == 'the "web"'
    assert "under [data.bands]: age = [" in done.advice


def test_what_is_pinned_is_held_on_all_rows_from_then_on(shop: Path, kdaudit: Run) -> None:
    said = kdaudit("pin", worst(shop), shop / "audit.toml", "--margin", "0.1")
    assert said.code == 0, said.err
    assert 'check = "SLC001"' in said.out
    ran = kdaudit("run", shop / "audit.toml", "-o", shop / "again")
    assert ran.code == 1
    verdict = RunFolder(shop / "again").results().verdicts[1]
    assert verdict.address == worst(shop).replace("SLC004", "SLC001")
    assert verdict.outcome.value == "fail"


def test_with_edges_in_the_file_the_advice_is_taken(shop: Path) -> None:
    advice = pin(worst(shop), shop / "audit.toml").advice
    edges = tomllib.loads(advice.partition("[data.bands]: ")[2])["age"]
    path = shop / "audit.toml"
    path.write_text(f"{AUDIT}\n[data.bands]\nage = {edges}\n", "utf-8")
    assert pin(worst(shop), path).advice == ""
    read_audit_file(path)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_endings_stay_and_a_missing_one_is_added(shop: Path, ending: str) -> None:
    path = shop / "audit.toml"
    before = AUDIT.rstrip("\n").replace("\n", ending).encode()
    path.write_bytes(before)
    pin(worst(shop), path, at_least=0.9)
    after = path.read_bytes()
    assert after.startswith(before + ending.encode())
    assert after.count(b"\r\n") == (after.count(b"\n") if ending == "\r\n" else 0)
    assert read_audit_file(path).contract[-1].at_least == 0.9


def lead(folder: Path) -> str:
    (slices,) = [
        suite
        for suite in RunFolder(folder / "kdaudit-out" / "shop").results().suites
        if suite.suite == "slices"
    ]
    (table,) = [figure for figure in slices.figures if figure.name == "discovered"]
    return next(str(row[0]) for row in table.rows if row[1] == "lead")


REFUSED = {
    "a lead": ("LEAD", {}, "is a lead"),
    "never seen": ("SLC004[channel=wbe]", {}, "unknown confirmed slice"),
    "another finding": ("SLC001[channel=app]", {}, "no slice that a search found"),
    "two limits": ("WORST", {"margin": 0.1, "at_least": 0.5}, "not both"),
    "no sane limit": ("WORST", {"margin": 3.0}, "off the scale"),
    "a negative limit": ("WORST", {"margin": -0.1}, "greater than or equal to 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_confirmed_slice_is_not_pinned(shop: Path, kdaudit: Run, case: str) -> None:
    name, limits, message = REFUSED[case]
    asked = {"LEAD": lead, "WORST": worst}.get(name, lambda _: name)(shop)
    options = [
        word for key, value in limits.items() for word in (f"--{key.replace('_', '-')}", value)
    ]
    said = kdaudit("pin", asked, shop / "audit.toml", *map(str, options))
    assert said.code == 2
    assert message in said.err
    assert (shop / "audit.toml").read_text("utf-8") == AUDIT


CHANGED = {
    "pinned already": ("", "", "already; nothing was written"),
    "column gone": (
        'slices = ["channel", "age", "store"]',
        'slices = ["channel"]',
        "no column 'age'; add",
    ),
    "inline contract": (
        '[[contract]]\ncheck = "ACC001"   # accuracy\nmargin = 0.05\n',
        "",
        "as [[contract]]",
    ),
    "no margin to go by": ("margin = 0.05", "at_least = 0.5", None),
}


@pytest.mark.parametrize("case", CHANGED)
def test_a_file_to_which_it_cannot_be_added_stays_as_it_is(shop: Path, case: str) -> None:
    from kdaudit.errors import ConfigError

    old, new, message = CHANGED[case]
    path = shop / "audit.toml"
    path.write_text(AUDIT.replace(old, new) if old else AUDIT, "utf-8")
    if case == "pinned already":
        pin(worst(shop), path)
    if case == "inline contract":
        text = 'contract = [{ check = "ACC001", margin = 0.05 }]\n' + path.read_text("utf-8")
        path.write_text(text, "utf-8")
    before = path.read_bytes()
    if message is None:  # the limit comes from the results, which have one
        pin(worst(shop), path)
        return
    with pytest.raises(ConfigError, match=message.replace("[", r"\[").replace("]", r"\]")):
        pin(worst(shop), path)
    assert path.read_bytes() == before


def test_a_run_folder_of_which_the_audit_file_is_not_to_be_found(shop: Path, kdaudit: Run) -> None:
    asked = worst(shop)
    (shop / "twin.toml").write_text(AUDIT, "utf-8")
    try:
        said = kdaudit("pin", asked, shop / "kdaudit-out" / "shop")
    finally:
        (shop / "twin.toml").unlink()
    assert said.code == 2
    assert "several audit files" in said.err
    assert "name the audit file instead" in said.err
