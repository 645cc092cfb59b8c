"""Everything a new user would get wrong: outcome, exit code, one message, nothing half-written."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

AUDIT = """
[audit]
name = "first"
[data]
path = "data.csv"
id = "id"
label = "label"
positive = "malignant"
slices = ["size"]
sensitive = ["size"]
[teacher]
predictions = "teacher.csv"
[student]
predictions = "student.csv"
[[contract]]
check = "ACC001"
margin = 0.2
"""


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    label = y.map({0: "malignant", 1: "benign"})
    scaled = (x - x.mean()) / x.std()
    test = np.arange(len(x)) % 2 == 0
    size = (x["mean area"] > 650).map({True: "large", False: "small"})
    data = pd.DataFrame({"id": x.index, "label": label, "size": size})[test]
    made = {"data": data}
    for name, model in {
        "teacher": LogisticRegression(),
        "student": DecisionTreeClassifier(max_depth=2, random_state=0),
    }.items():
        answers = model.fit(scaled[~test], label[~test]).predict_proba(scaled[test])
        made[name] = pd.DataFrame(answers, columns=[f"p_{c}" for c in model.classes_])
        made[name].insert(0, "id", x.index[test])
    return made


Tables = dict[str, pd.DataFrame]


class Case(NamedTuple):
    """What is done to a good audit, how it must end, and what must be said."""

    name: str
    code: int
    words: tuple[str, ...]
    toml: tuple[tuple[str, str], ...] = ()
    change: Callable[[Tables], None] | None = None
    files: Callable[[Path], object] | None = None


def student(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Tables], None]:
    def apply(tables: Tables) -> None:
        tables["student"] = change(tables["student"])

    return apply


def data(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Tables], None]:
    def apply(tables: Tables) -> None:
        tables["data"] = change(tables["data"])

    return apply


def logits(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(p_benign=7.0, p_malignant=-3.2)


def nan_in(t: pd.DataFrame, rows: int) -> pd.DataFrame:
    t = t.copy()
    t.iloc[:rows, 1:] = np.nan
    return t


def copied(tables: Tables) -> None:
    best = tables["teacher"].set_index("id").idxmax(axis=1).map(lambda name: str(name)[2:])
    tables["data"] = tables["data"].assign(label=tables["data"].id.map(best))


def both(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Tables], None]:
    def apply(tables: Tables) -> None:
        for name in ("teacher", "student"):
            tables[name] = change(tables[name])

    return apply


SWAP = {"p_benign": "p_malignant", "p_malignant": "p_benign"}
SCORE = 'positive = "malignant"\n'


def percent(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(p_benign=100 * t.p_benign, p_malignant=100 * t.p_malignant)


def rounded(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(p_benign=0.98 * t.p_benign, p_malignant=0.98 * t.p_malignant)


def zeros_in_front(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(id=t.id.map("{:04d}".format))


def decimals(tables: Tables) -> None:
    number = {"benign": "0.0", "malignant": "1.0"}
    tables["data"] = tables["data"].assign(label=tables["data"].label.map(number))
    both(lambda t: t.rename(columns={"p_benign": "p_0", "p_malignant": "p_1"}))(tables)


def labels_with_decimals(tables: Tables) -> None:
    number = {"benign": 0, "malignant": 1}
    tables["data"] = tables["data"].assign(label=tables["data"].label.map(number))
    for name, kind in (("teacher", int), ("student", float)):
        answer = (tables[name].p_malignant > 0.5).astype(kind)
        tables[name] = tables[name][["id"]].assign(prediction=answer)


def positions(tables: Tables) -> None:
    tables["data"] = tables["data"].drop(columns="id")
    both(lambda t: t.assign(id=range(len(t))))(tables)


def scores(t: pd.DataFrame) -> pd.DataFrame:
    return t.assign(score=t.p_malignant)[["id", "score"]]


CASES = [
    Case("good", 0, ()),
    Case(
        "missing-column",
        2,
        ("data.csv", "'lable'", "Did you mean 'label'"),
        (('label = "label"', 'label = "lable"'),),
    ),
    Case("unknown-key", 2, ("'margn'", "Did you mean 'margin'"), (("margin =", "margn ="),)),
    Case("unknown-table", 2, ("'datas'", "Did you mean 'data'"), (("[data]", "[datas]"),)),
    Case(
        "unknown-suite",
        2,
        ("'calibraton'", "Did you mean 'calibration'"),
        (("[teacher]", "[suites.calibraton]\n[teacher]"),),
    ),
    Case(
        "unknown-option",
        2,
        ("'bin'", "Did you mean 'bins'"),
        (("[teacher]", "[suites.calibration]\nbin = 3\n[teacher]"),),
    ),
    Case("unknown-code", 2, ("'AC001'", "Did you mean 'ACC001'"), (("ACC001", "AC001"),)),
    Case(
        "unknown-slice-column",
        2,
        ("'chanel'", "size"),
        (('check = "ACC001"', 'check = "SLC001"\neach = ["chanel"]'),),
    ),
    Case("slice-without-group", 2, ("SLC001", "each ="), (("ACC001", "SLC001"),)),
    Case(
        "slice-value-absent",
        3,
        ("size = 'huge'", "'large', 'small'"),
        (('check = "ACC001"', 'check = "SLC001"\nwhere = { size = "huge" }'),),
    ),
    Case(
        "two-limits",
        2,
        ("exactly one", "margin", "keep"),
        (("margin = 0.2", "margin = 0.2\nkeep = 0.9"),),
    ),
    Case("no-limit", 2, ("exactly one", "none"), (("margin = 0.2", ""),)),
    Case("nan-margin", 2, ("margin", "nan"), (("margin = 0.2", "margin = nan"),)),
    Case("negative-margin", 2, ("margin", "-0.2"), (("margin = 0.2", "margin = -0.2"),)),
    Case("at-most-accuracy", 2, ("at_most", "ACC001", "at_least"), (("margin", "at_most"),)),
    Case(
        "keep-of-a-contrast",
        2,
        ("keep", "FAI004", "margin"),
        (('check = "ACC001"\nmargin', 'check = "FAI004"\neach = ["size"]\nkeep'),),
    ),
    Case(
        "baseline-absent",
        2,
        ("baseline", "no [baseline]"),
        (("margin = 0.2", 'margin = 0.2\nagainst = "baseline"'),),
    ),
    Case(
        "no-check-declared",
        3,
        ("no check is declared",),
        (('[[contract]]\ncheck = "ACC001"\nmargin = 0.2\n', ""),),
    ),
    Case(
        "no-positive",
        3,
        ("favourable class", "positive"),
        ((SCORE, ""), ('check = "ACC001"', 'check = "FAI001"\neach = ["size"]')),
    ),
    Case("score-without-positive", 2, ("student.csv", "positive"), ((SCORE, ""),), both(scores)),
    Case("scores", 0, (), (), both(scores)),
    Case(
        "every-class-is-positive",
        2,
        ("every class", "favourable"),
        ((SCORE, 'positive = ["malignant", "benign"]\n'),),
    ),
    Case(
        "weights-too-small",
        2,
        ("weight", "'w'", "1e-200"),
        (("[teacher]", 'weight = "w"\n[teacher]'),),
        data(lambda t: t.assign(w=1e-200)),
    ),
    Case("positive-is-no-class", 2, ("'bad'", "benign"), (("malignant", "bad"),)),
    Case("not-toml", 2, ("audit.toml", "TOML"), (("[data]", "[data"),)),
    Case(
        "two-models",
        2,
        ("[student]", "exactly one"),
        (('predictions = "student.csv"', 'predictions = "student.csv"\npath = "x"'),),
    ),
    Case(
        "no-model",
        2,
        ("[student]", "give exactly one of: distill, "),
        (('predictions = "student.csv"', ""),),
    ),
    Case(
        "distilled-and-recorded",
        2,
        ("student", "distill", "take predictions out"),
        (('"student.csv"', '"student.csv"\ndistill = "recipe.toml"'),),
    ),
    Case("missing-file", 2, ("nowhere.csv",), (("student.csv", "nowhere.csv"),)),
    Case("folder-for-a-file", 2, ("is a folder",), (('"student.csv"', '"."'),)),
    Case(
        "unknown-ending",
        2,
        (".xlsx", "csv"),
        (('"student.csv"', '"s.xlsx"'),),
        None,
        lambda p: (p / "s.xlsx").write_bytes(b"x"),
    ),
    Case(
        "empty-file",
        2,
        ("student.csv", "empty"),
        (),
        None,
        lambda p: (p / "student.csv").write_bytes(b""),
    ),
    Case("header-only", 2, ("student.csv", "no rows"), (), student(lambda t: t.iloc[:0])),
    Case(
        "not-utf-8",
        2,
        ("data.csv", "UTF-8", "0xe9"),
        (),
        None,
        lambda p: (p / "data.csv").write_bytes(b"id,label,size\n1,caf\xe9,x\n"),
    ),
    Case(
        "truncated-parquet",
        2,
        ("s.parquet", "Parquet"),
        (('"student.csv"', '"s.parquet"'),),
        None,
        lambda p: (p / "s.parquet").write_bytes(b"PAR1xxxx"),
    ),
    Case("no-answers", 2, ("student.csv", "p_<class>"), (), student(lambda t: t[["id"]])),
    Case(
        "text-for-a-number",
        2,
        ("p_benign", "'high'"),
        (),
        student(lambda t: t.assign(p_benign="high")),
    ),
    Case(
        "duplicate-ids",
        2,
        ("student.csv", "duplicate"),
        (),
        student(lambda t: pd.concat([t, t.iloc[:3]])),
    ),
    Case(
        "foreign-ids",
        2,
        ("student.csv", "not in the data file", "other data"),
        (),
        student(lambda t: t.assign(id=t.id + 100_000)),
    ),
    Case(
        "half-of-the-ids",
        2,
        ("student.csv", "fewer than half"),
        (),
        student(lambda t: t.iloc[:100]),
    ),
    Case("a-few-ids-missing", 1, ("ACC003",), (), student(lambda t: t.iloc[:-20])),
    Case("a-few-nan", 1, ("ACC003",), (), student(lambda t: nan_in(t, 20))),
    Case("all-nan", 2, ("student.csv", "fewer than half"), (), student(lambda t: nan_in(t, 999))),
    Case("logits", 2, ("student.csv", "Are these logits? Apply softmax"), (), student(logits)),
    Case("percent", 2, ("student.csv", "[80, 20]", "Divide them by 100"), (), student(percent)),
    Case("rounded", 2, ("student.csv", "sum to 1", "more digits"), (), student(rounded)),
    Case(
        "score-in-percent",
        2,
        ("student.csv", "'score'", "Divide them by 100"),
        (),
        both(lambda t: scores(t).assign(score=100 * t.p_malignant)),
    ),
    Case(
        "score-as-a-logit",
        2,
        ("student.csv", "'score'", "-5.5", "sigmoid"),
        (),
        both(lambda t: scores(t).assign(score=-5.5)),
    ),
    Case(
        "zeros-in-front-lost",
        2,
        ("student.csv", "'0' is '0000' there", "dtype=str"),
        (),
        lambda t: t.update(data=zeros_in_front(t["data"]), teacher=zeros_in_front(t["teacher"])),
    ),
    Case(
        "zeros-in-front-added",
        2,
        ("student.csv", "'0000' is '0' there", "dtype=str"),
        (),
        student(zeros_in_front),
    ),
    Case(
        "ids-without-an-id-column",
        2,
        ("student.csv", "'000000000000'", "name it as id"),
        (('id = "id"\n', ""),),
        positions,
    ),
    Case(
        "classes-without-prefix",
        2,
        ("student.csv", "'benign', 'malignant'", "call them p_benign, p_malignant"),
        (),
        student(lambda t: t.rename(columns=lambda name: str(name).removeprefix("p_"))),
    ),
    Case(
        "labels-with-decimals",
        2,
        ("data.csv", "'0.0'", "as '0'", 'rename = { "0" = "0.0" }'),
        (("malignant", "1.0"),),
        decimals,
    ),
    Case(
        "answers-with-decimals",
        2,
        ("student.csv", "data.csv", "as '0.0'", 'rename = { "0.0" = "0" }'),
        (("malignant", "1"),),
        labels_with_decimals,
    ),
    Case(
        "wrong-class-order",
        2,
        ("student.csv", "another order", "rename"),
        (),
        student(lambda t: t.rename(columns=SWAP)),
    ),
    Case(
        "teacher-in-wrong-class-order",
        2,
        ("teacher.csv", "another order"),
        (),
        lambda t: t.update(teacher=t["teacher"].rename(columns=SWAP)),
    ),
    Case(
        "other-classes",
        2,
        ("student.csv", "'p_bad'"[3:6], "rename"),
        (),
        student(lambda t: t.rename(columns={"p_malignant": "p_bad"})),
    ),
    Case(
        "label-unknown-to-the-models",
        2,
        ("data.csv", "'odd'", "out_of_scope"),
        (),
        data(lambda t: t.assign(label=["odd", *t.label[1:]])),
    ),
    Case(
        "empty-label",
        2,
        ("data.csv", "'label'", "empty"),
        (),
        data(lambda t: t.assign(label=t.label.where(t.id > 0))),
    ),
    Case("one-class", 3, ("one class",), (), data(lambda t: t[t.label == "benign"])),
    Case("labels-copied-from-the-teacher", 3, ("imitation",), (), copied),
    Case(
        "weights-of-zero",
        2,
        ("weight", "'w'", "positive"),
        (("[teacher]", 'weight = "w"\n[teacher]'),),
        data(lambda t: t.assign(w=0.0)),
    ),
    Case("one-cluster", 3, ("clusters",), (("[teacher]", 'cluster = "size"\n[teacher]'),)),
    Case(
        "ids-in-a-slice",
        2,
        ("'id'", "different values"),
        (('slices = ["size"]', 'slices = ["id"]'),),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_mistake_ends_as_documented(
    case: Case, tables: Tables, tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    changed = dict(tables)
    if case.change is not None:
        case.change(changed)
        if len(changed["data"]) < len(tables["data"]):
            for name in ("teacher", "student"):
                kept = changed[name].id.isin(changed["data"].id)
                changed[name] = changed[name][kept]
    for name, table in changed.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    if case.files is not None:
        case.files(tmp_path)
    text = AUDIT
    for old, new in case.toml:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "audit.toml").write_text(text, "utf-8")
    before = sorted(tmp_path.rglob("*"))

    said = kdaudit("run", tmp_path / "audit.toml")

    assert said.code == case.code, said.out + said.err
    everything = re.sub(r"\s+", " ", said.out + said.err)
    assert "Traceback" not in everything
    for word in case.words:
        assert word in everything, everything
    if case.code == 2:
        assert said.err.startswith("kdaudit: ")
        assert said.err.count("\n") == 1
        assert sorted(tmp_path.rglob("*")) == before, "something was half-written"
    else:
        assert re.match(r"(PASS|FAIL|INCONCLUSIVE|NOT EVALUABLE).* card: ", said.last)


def test_a_folder_of_someone_else_is_not_written_over(
    tables: Tables, tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    for name, table in tables.items():
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("x")
    (tmp_path / "file").write_text("x")
    for taken in (tmp_path / "thesis", tmp_path / "file"):
        said = kdaudit("run", tmp_path / "audit.toml", "-o", taken)
        assert said.code == 2
        assert "is no run folder" in said.err
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "x"


def test_an_audit_file_that_is_missing_or_a_folder_is_named(
    tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    missing = kdaudit("run", tmp_path / "nowhere.toml")
    assert (missing.code, "kdaudit init" in missing.err) == (2, True)
    folder = kdaudit("run", tmp_path)
    assert (folder.code, "is a folder" in folder.err) == (2, True)


RECIPE = 'audit = "audit.toml"\n[student]\nfactory = "model:f"\n[objectives.hard]\n'


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("run", "recipe.toml"), "kdaudit distill {}/recipe.toml"),
        (("audit", "recipe.toml"), "kdaudit run {}/audit.toml"),
        (("distill", "audit.toml"), "kdaudit run {}/audit.toml"),
        (("distill", "nowhere.toml"), "docs/recipes.md"),
    ],
    ids=" ".join,
)
def test_a_file_given_to_the_wrong_command_names_the_right_one(
    words: tuple[str, str], meant: str, tmp_path: Path, kdaudit: Callable[..., Any]
) -> None:
    (tmp_path / "audit.toml").write_text(AUDIT, "utf-8")
    (tmp_path / "recipe.toml").write_text(RECIPE, "utf-8")
    said = kdaudit(words[0], tmp_path / words[1])
    assert said.code == 2
    assert meant.format(tmp_path) in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["audit.toml", "recipe.toml"]
