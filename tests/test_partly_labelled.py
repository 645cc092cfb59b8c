"""Labels of the disagreements alone decide as much about differences as labels of all rows."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kdaudit.errors import ConfigError, DataError
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.execute import execute
from kdaudit.labelling import write_rows_to_label
from kdaudit.results import Finding, Outcome, PartlyLabelled, Results

ROWS = 3000
HEAD = """
[audit]
name = "part"
[data]
path = "{data}"
id = "id"
inputs = ["text"]
label_source = "human"
positive = "b"
slices = ["channel"]
sensitive = ["group"]
{roles}
[teacher]
predictions = "teacher.csv"
[student]
predictions = "student.csv"
[[contract]]
check = "ACC001"
margin = 0.02
[[contract]]
check = "ACC002"
at_most = 0.05
[[contract]]
check = "SLC001"
each = ["channel"]
margin = 0.05
[[contract]]
check = "FAI004"
each = ["group"]
margin = 0.05
[[contract]]
check = "ACC001"
at_least = 0.8
[[contract]]
check = "ACC001"
keep = 0.95
[[contract]]
check = "SLC002"
each = ["label"]
margin = 0.1
[[contract]]
check = "CAL001"
margin = 0.1
"""
PART = '[data.labels]\npath = "labels.csv"\nweights = "weights.csv"'


@pytest.fixture(scope="module")
def truth() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    classes = np.array(["a", "b", "c"])
    label = rng.choice(classes, ROWS, p=[0.5, 0.3, 0.2])
    return pd.DataFrame(
        {
            "id": [f"r{i:04d}" for i in range(ROWS)],
            "text": [f"=text {i}" for i in range(ROWS)],
            "label": label,
            "channel": rng.choice(["web", "phone", "post"], ROWS, p=[0.6, 0.3, 0.1]),
            "group": rng.choice(["f", "m"], ROWS),
            "customer": rng.integers(0, 400, ROWS),
            "w": rng.lognormal(0, 0.5, ROWS),
        }
    )


@pytest.fixture
def folder(tmp_path: Path, truth: pd.DataFrame) -> Path:
    """Files of an audit: all.toml with every label, part.toml with those of a file."""
    rng = np.random.default_rng(12)
    label = truth["label"].to_numpy(object)
    wrong = np.array(["a", "b", "c"], dtype=object)[rng.integers(0, 3, ROWS)]
    teacher = np.where(rng.random(ROWS) < 0.85, label, wrong)
    student = np.where(rng.random(ROWS) < 0.94, teacher, wrong[::-1])
    for name, answers in (("teacher", teacher), ("student", student)):
        sure = np.clip(rng.normal(0.8, 0.1, ROWS), 0.4, 0.99)
        shown = {f"p_{c}": np.where(answers == c, sure, (1 - sure) / 2) for c in ("a", "b", "c")}
        pd.DataFrame({"id": truth["id"], **shown}).to_csv(tmp_path / f"{name}.csv", index=False)
    truth.to_csv(tmp_path / "all.csv", index=False)
    truth.drop(columns="label").to_csv(tmp_path / "rows.csv", index=False)
    write(tmp_path, "all", 'label = "label"', "all.csv")
    write(tmp_path, "part", PART, "rows.csv")
    return tmp_path


def write(folder: Path, name: str, roles: str, data: str) -> Path:
    path = folder / f"{name}.toml"
    text = HEAD.format(data=data, roles=roles).replace('"part"', f'"{name}"')
    path.write_text(text, "utf-8")
    return path


def fill_in(folder: Path, truth: pd.DataFrame, name: str = "labels.csv") -> pd.DataFrame:
    """Label every listed row rightly."""
    sheet = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
    known = truth.set_index("id")["label"]
    sheet["label"] = known.loc[sheet["id"]].to_numpy()
    sheet.to_csv(folder / name, index=False)
    return sheet


def ends(measured: object) -> tuple[float, float, float]:
    assert isinstance(measured, Estimate)
    return measured.value, measured.low, measured.high


def by_address(results: Results, *codes: str) -> dict[str, Finding]:
    return {f.address: f for f in results.findings() if f.code in codes}


@pytest.mark.parametrize("roles", ["", 'weight = "w"'])
def test_the_disagreements_give_the_same_intervals(
    folder: Path, truth: pd.DataFrame, roles: str
) -> None:
    made = write_rows_to_label(write(folder, "part", f"{roles}\n{PART}", "rows.csv"), sample=0)
    assert made.drawn == 0
    assert made.blank == made.apart
    # 6 % of disagreement: sixteen times fewer labels.
    assert 14 < ROWS / made.apart < 30
    fill_in(folder, truth)
    part = execute(folder / "part.toml").audited.results
    full = execute(write(folder, "all", f'{roles}\nlabel = "label"', "all.csv")).audited.results
    codes = ("ACC001", "ACC002", "SLC001", "FAI004", "FAI007", "SLC004")
    found, whole = by_address(part, *codes), by_address(full, *codes)
    assert {address for address in whole if "label=" not in address} == set(found)
    for address, one in found.items():
        other = whole[address]
        if one.code == "ACC002":
            assert ends(one.student) == ends(other.student), address
        elif isinstance(other.difference, Estimate):
            assert ends(one.difference) == pytest.approx(ends(other.difference), abs=1e-12), address
    assert found["ACC001"].student == found["ACC001"].teacher
    assert isinstance(found["ACC001"].student, NotMeasured)
    verdicts = {v.address: v.outcome for v in part.verdicts if v.check in (0, 1, 2)}
    assert verdicts == {v.address: v.outcome for v in full.verdicts if v.check in (0, 1, 2)}
    undecided = {v.address for v in part.verdicts if v.outcome is Outcome.NOT_EVALUABLE}
    assert {"ACC001", "SLC002[label=*]", "CAL001"} <= undecided
    assert part.data.labelled == made.apart


def test_with_a_sample_everything_is_measured(folder: Path, truth: pd.DataFrame) -> None:
    made = write_rows_to_label(folder / "part.toml", sample=400)
    assert (made.drawn, made.blank) == (400, made.apart + 400)
    fill_in(folder, truth)
    part = execute(folder / "part.toml").audited.results
    full = execute(folder / "all.toml").audited.results
    one, other = part.finding("ACC001"), full.finding("ACC001")
    assert ends(one.difference) == ends(other.difference)
    assert isinstance(one.basis, PartlyLabelled)
    for role in ("student", "teacher"):
        value, low, high = ends(getattr(one, role))
        assert low < ends(getattr(other, role))[0] < high
        assert abs(value - ends(getattr(other, role))[0]) < 0.04
    assert f"on the {made.blank:,} labelled rows, which stand for all 3,000" in one.note
    outcomes = {v.outcome for v in part.verdicts}
    assert Outcome.NOT_EVALUABLE not in outcomes
    recall = part.finding("SLC002[label=a]")
    assert abs(ends(recall.student)[0] - ends(full.finding("SLC002[label=a]").student)[0]) < 0.05
    # Own values of groups, and what they mean, come from the sample; the change from all rows.
    gap = part.finding("FAI004[group=f]")
    assert ends(gap.difference) == pytest.approx(
        ends(full.finding("FAI004[group=f]").difference), abs=1e-12
    )
    assert gap.label is not None
    assert part.finding("FAI001[group=f]").basis == full.finding("FAI001[group=f]").basis


def test_an_unlabelled_disagreement_counts_against_the_student(
    folder: Path, truth: pd.DataFrame
) -> None:
    write_rows_to_label(folder / "part.toml", sample=300)
    sheet = fill_in(folder, truth)
    full = execute(folder / "part.toml").audited.results.finding("ACC001")
    answers = pd.read_csv(folder / "student.csv", dtype={"id": str}).set_index("id")
    given = answers.loc[sheet["id"]].to_numpy().argmax(axis=1)
    weights = pd.read_csv(folder / "weights.csv", dtype={"id": str}).set_index("id")["stands_for"]
    gained = (np.array(["a", "b", "c"])[given] == sheet["label"]) & (
        weights.loc[sheet["id"]].to_numpy() == 1
    )
    sheet.loc[sheet.index[gained][:5], "label"] = ""
    sheet.to_csv(folder / "labels.csv", index=False)
    results = execute(folder / "part.toml").audited.results
    blank = results.finding("ACC001")
    assert ends(blank.difference)[0] < ends(full.difference)[0]
    assert isinstance(blank.student, NotMeasured)
    assert "5 of them divide the subjects and count against the student" in blank.student.reason
    whole = execute(folder / "all.toml").audited.results.finding("ACC002")
    assert ends(results.finding("ACC002").student)[0] == pytest.approx(
        ends(whole.student)[0] + 5 / ROWS
    )


def test_a_blank_row_of_the_sample_makes_it_none(folder: Path, truth: pd.DataFrame) -> None:
    write_rows_to_label(folder / "part.toml", sample=50)
    sheet = fill_in(folder, truth)
    weights = pd.read_csv(folder / "weights.csv", dtype={"id": str}).set_index("id")["stands_for"]
    drawn = sheet["id"][weights.loc[sheet["id"]].to_numpy() > 1]
    sheet.loc[sheet["id"] == drawn.iloc[0], "label"] = ""
    sheet.to_csv(folder / "labels.csv", index=False)
    found = execute(folder / "part.toml").audited.results.finding("ACC001")
    assert isinstance(found.student, NotMeasured)
    assert "1 of the" in found.student.reason
    assert "blank still" in found.student.reason
    assert isinstance(found.difference, Estimate)


def test_another_student_needs_its_own_disagreements(folder: Path, truth: pd.DataFrame) -> None:
    first = write_rows_to_label(folder / "part.toml", sample=100)
    fill_in(folder, truth)
    answers = pd.read_csv(folder / "student.csv")
    turned = answers["id"].isin(answers["id"][::40])
    answers.loc[turned, ["p_a", "p_b", "p_c"]] = answers.loc[
        turned, ["p_b", "p_c", "p_a"]
    ].to_numpy()
    answers.to_csv(folder / "student.csv", index=False)
    open_rows = execute(folder / "part.toml").audited.results.finding("ACC001")
    assert isinstance(open_rows.student, NotMeasured)
    again = write_rows_to_label(folder / "part.toml", out=folder / "more.csv", sample=150)
    assert 0 < again.blank < first.blank
    weights = pd.read_csv(folder / "more-weights.csv")["stands_for"]
    assert weights.sum() == pytest.approx(ROWS)
    fill_in(folder, truth, "more.csv")
    text = (folder / "part.toml").read_text("utf-8")
    text = text.replace("labels.csv", "more.csv").replace("weights.csv", "more-weights.csv")
    (folder / "part.toml").write_text(text, "utf-8")
    part = execute(folder / "part.toml").audited.results.finding("ACC001")
    full = execute(folder / "all.toml").audited.results.finding("ACC001")
    assert ends(part.difference) == ends(full.difference)
    assert isinstance(part.student, Estimate)


def test_whoever_labels_sees_no_answers(folder: Path) -> None:
    made = write_rows_to_label(folder / "part.toml", sample=200)
    sheet = pd.read_csv(made.path, dtype=str, keep_default_na=False)
    assert list(sheet.columns) == ["id", "text", "label"]
    assert set(sheet["label"]) == {""}
    assert sheet["text"].str.startswith("'=text").all()  # no formula
    assert made.weights is not None
    weights = pd.read_csv(made.weights)["stands_for"].to_numpy()
    # Neither kind comes first.
    assert 0.2 < (weights[: len(weights) // 2] == 1).mean() / (weights == 1).mean() < 1.8
    with pytest.raises(ConfigError, match="may hold labels, so it is not written over"):
        write_rows_to_label(folder / "part.toml")


def test_clustered_rows_are_no_narrower_than_with_every_label(
    folder: Path, truth: pd.DataFrame
) -> None:
    roles = 'cluster = "customer"'
    write_rows_to_label(write(folder, "part", f"{roles}\n{PART}", "rows.csv"), sample=0)
    fill_in(folder, truth)
    part = execute(folder / "part.toml").audited.results.finding("ACC001")
    full = execute(write(folder, "all", f'{roles}\nlabel = "label"', "all.csv")).audited.results
    one, other = ends(part.difference), ends(full.finding("ACC001").difference)
    assert one[0] == pytest.approx(other[0])
    assert one[1] <= other[1]
    assert one[2] >= other[2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: s[s["id"] != s["id"].iloc[0]], "are of different rows: 1 ids"),
        (lambda s: pd.concat([s, s.head(1)]), "duplicate ids"),
        (lambda s: s.assign(id=["zz", *s["id"].iloc[1:]]), "1 ids are of no audited row"),
        (lambda s: s.assign(label=""), "is empty in all"),
        (lambda s: s.assign(label="d"), "which is no class of the models"),
    ],
)
def test_a_sheet_that_does_not_fit(
    folder: Path, truth: pd.DataFrame, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    write_rows_to_label(folder / "part.toml", sample=20)
    change(fill_in(folder, truth)).to_csv(folder / "labels.csv", index=False)
    with pytest.raises(DataError, match=said):
        execute(folder / "part.toml")


def test_labels_in_two_places_are_refused(folder: Path, truth: pd.DataFrame) -> None:
    write_rows_to_label(folder / "part.toml", sample=0)
    fill_in(folder, truth)
    path = write(folder, "part", f'label = "label"\n{PART}', "all.csv")
    with pytest.raises(DataError, match="keep the labels in one place"):
        execute(path)


@pytest.mark.parametrize(
    ("roles", "said"),
    [
        (f'label_source = "model:x"\n{PART}', 'say label_source = "human" or "outcome"'),
        (f'label_source = "human"\nout_of_scope = "c"\n{PART}', "out of scope must be known"),
    ],
)
def test_what_some_labels_cannot_give(folder: Path, roles: str, said: str) -> None:
    path = write(folder, "part", roles, "rows.csv")
    path.write_text(path.read_text("utf-8").replace('label_source = "human"\npositive', "positive"))
    with pytest.raises(ConfigError, match=said):
        execute(path)


def test_before_anything_is_labelled(folder: Path, kdaudit: Callable[..., Any]) -> None:
    with pytest.raises(DataError, match="`kdaudit label` writes the rows"):
        execute(folder / "part.toml")
    assert kdaudit("power", folder / "part.toml").code == 0
    said = kdaudit("label", folder / "part.toml", "--sample", "100")
    assert said.code == 0
    assert "100 were drawn of the others" in said.out
    assert kdaudit("label", folder / "part.toml").code == 2
    assert kdaudit("lock", folder / "part.toml").code == 0


def test_a_lock_made_before_labels_holds_after(
    folder: Path, truth: pd.DataFrame, kdaudit: Callable[..., Any]
) -> None:
    assert kdaudit("lock", folder / "part.toml").code == 0
    assert kdaudit("label", folder / "part.toml").code == 0
    fill_in(folder, truth)
    said = kdaudit("run", folder / "part.toml", "--lock", folder / "lock.json")
    assert said.code in (0, 1, 3), said.err
    results = json.loads((folder / "kdaudit-out/part/results.json").read_text("utf-8"))
    assert results["lock"] is not None
    assert kdaudit("gate", folder / "kdaudit-out/part").code == said.code


def test_the_card_says_what_rests_on_few_labels(
    folder: Path, truth: pd.DataFrame, kdaudit: Callable[..., Any]
) -> None:
    made = write_rows_to_label(folder / "part.toml", sample=0)
    fill_in(folder, truth)
    kdaudit("run", folder / "part.toml")
    results = json.loads((folder / "kdaudit-out/part/results.json").read_text("utf-8"))
    texts: list[Mapping[str, str]] = results["limitations"]
    assert any(f"{made.apart:,} of {ROWS:,} rows have a label" in one["text"] for one in texts)
    card = (folder / "kdaudit-out/part/card.html").read_text("utf-8")
    assert f"{made.apart:,} of {ROWS:,} rows" in card


def test_the_teacher_alone_is_known_from_the_sample(
    folder: Path, truth: pd.DataFrame, kdaudit: Callable[..., Any]
) -> None:
    write_rows_to_label(folder / "part.toml", sample=300)
    fill_in(folder, truth)
    text = (folder / "part.toml").read_text("utf-8").replace('"part"', '"alone"')
    (folder / "alone.toml").write_text(text, "utf-8")
    said = kdaudit("run", folder / "alone.toml", "--only", "teacher")
    assert said.code in (0, 1, 3), said.err
    (path,) = (folder / "kdaudit-out").glob("*/results.json")
    results = json.loads(path.read_text("utf-8"))
    (one,) = [f for s in results["suites"] for f in s["findings"] if f["code"] == "ACC001"]
    assert 0.8 < one["teacher"]["value"] < 0.95


def test_with_every_label_nothing_is_partly_labelled(folder: Path, truth: pd.DataFrame) -> None:
    """A file of labels that holds all of them needs no weights."""
    truth[["id", "label"]].to_csv(folder / "labels.csv", index=False)
    path = write(folder, "all", '[data.labels]\npath = "labels.csv"', "rows.csv")
    results = execute(path).audited.results
    assert results.data.labelled is None
    assert isinstance(by_address(results, "ACC001")["ACC001"].student, Estimate)


def test_no_drill_without_all_labels(
    folder: Path, truth: pd.DataFrame, kdaudit: Callable[..., Any]
) -> None:
    roles = '[data.labels]\npath = "labels.csv"\nweights = "weights.csv"'
    path = write(folder, "drill", roles, "rows.csv")
    write_rows_to_label(path)
    fill_in(folder, truth)
    done = kdaudit("drill", path)
    assert done.code == 2
    assert "label all of them to drill" in done.err


def test_power_before_anything_is_labelled(
    folder: Path, kdaudit: Callable[..., Any], truth: pd.DataFrame
) -> None:
    roles = '[data.labels]\npath = "labels.csv"\nweights = "weights.csv"'
    path = write(folder, "power", roles, "rows.csv")
    done = kdaudit("power", path)
    assert done.code == 0
    assert "draws N rows for it" in done.out
    accuracy = next(line for line in done.out.splitlines() if line.startswith("ACC001 "))
    assert "3,000" in accuracy
    write_rows_to_label(path, sample=100)
    fill_in(folder, truth)
    recall = next(
        line for line in kdaudit("power", path).out.splitlines() if line.startswith("SLC002")
    )
    assert int(recall.split("teacher")[1].split()[0].replace(",", "")) < 400


LABELS = '[data.labels]\npath = "labels.csv"\nweights = "weights.csv"'


@pytest.mark.parametrize("junk", ["?", "unknown", "None"])
def test_a_label_that_nobody_answers_is_no_class(
    folder: Path, truth: pd.DataFrame, junk: str, kdaudit: Callable[..., Any]
) -> None:
    """Both models are wrong on such a row, so that a loss there would not be seen."""
    for name in ("teacher.csv", "student.csv"):
        said = pd.read_csv(folder / name, dtype={"id": str}).set_index("id")
        answer = [str(column).removeprefix("p_") for column in said.idxmax(axis="columns")]
        pd.DataFrame({"id": said.index, "prediction": answer}).to_csv(folder / name, index=False)
    path = write(folder, "junk", LABELS, "rows.csv")
    write_rows_to_label(path)
    sheet = fill_in(folder, truth)
    sheet.loc[:20, "label"] = junk
    sheet.to_csv(folder / "labels.csv", index=False)
    done = kdaudit("run", path)
    assert done.code == 2
    assert f"labels.csv: 21 rows have the label '{junk}', which no model answers" in done.err


def test_blanks_are_no_label(folder: Path, truth: pd.DataFrame) -> None:
    path = write(folder, "blanks", LABELS, "rows.csv")
    write_rows_to_label(path)
    sheet = fill_in(folder, truth)
    full = execute(path).audited.results.data.labelled
    sheet.loc[:20, "label"] = "  "
    sheet.to_csv(folder / "labels.csv", index=False)
    assert execute(path).audited.results.data.labelled == (full or 0) - 21


def test_a_sample_that_was_chosen_is_refused(folder: Path, truth: pd.DataFrame) -> None:
    """Rows that were drawn, less those that the student gets wrong, stand for no others."""
    path = write(folder, "chosen", LABELS, "rows.csv")
    write_rows_to_label(path)
    fill_in(folder, truth)
    weights = pd.read_csv(folder / "weights.csv", dtype={"id": str})
    drawn = weights.index[weights["stands_for"] > 1]
    fewer = weights.drop(index=drawn[:20])
    total = weights["stands_for"].sum() - (fewer["stands_for"] == 1).sum()
    fewer.loc[fewer["stands_for"] > 1, "stands_for"] = total / (len(drawn) - 20)
    fewer.to_csv(folder / "weights.csv", index=False)
    sheet = pd.read_csv(folder / "labels.csv", dtype=str)
    sheet[sheet["id"].isin(fewer["id"])].to_csv(folder / "labels.csv", index=False)
    with pytest.raises(DataError, match="not the rows that `kdaudit label` draws"):
        execute(path)
    uneven = weights.copy()
    uneven.loc[drawn[0], "stands_for"] += 1
    uneven.to_csv(folder / "weights.csv", index=False)
    sheet.to_csv(folder / "labels.csv", index=False)
    with pytest.raises(DataError, match="stand for equally many each"):
        execute(path)


def test_drawn_rows_that_stand_for_themselves_are_named(folder: Path, truth: pd.DataFrame) -> None:
    path = write(folder, "alone", LABELS, "rows.csv")
    write_rows_to_label(path)
    fill_in(folder, truth)
    assert execute(path).audited.results.data.alone == 0
    weights = pd.read_csv(folder / "weights.csv", dtype={"id": str})
    drawn = weights.index[weights["stands_for"] > 1]
    weights.loc[drawn[:10], "stands_for"] = 1
    left = len(drawn) - 10
    weights.loc[drawn[10:], "stands_for"] *= len(drawn) / left
    weights.to_csv(folder / "weights.csv", index=False)
    results = execute(path).audited.results
    assert results.data.alone == 10
    assert any(
        "10 of the" in one.text and "stand for themselves" in one.text
        for one in results.limitations
    )


def test_a_gap_whose_direction_is_unknown_is_not_forgiven(
    folder: Path, truth: pd.DataFrame, kdaudit: Callable[..., Any]
) -> None:
    path = write(folder, "lax", LABELS, "rows.csv")
    text = path.read_text("utf-8")
    contract = '[[contract]]\ncheck = "FAI004"\neach = ["group"]\nmargin = 0.0001\n'
    policy = '[policy.lax]\ninconclusive = "warn"\n'
    path.write_text(text[: text.index("[[contract]]")] + contract + policy, "utf-8")
    write_rows_to_label(path)
    fill_in(folder, truth)
    assert kdaudit("run", path, "--policy", "lax").code == 3
