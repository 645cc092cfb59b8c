"""Known harms planted in real census data: found, labelled rightly, silent where none was planted?

``python benchmarks/planted_bias.py FOLDER`` reads ``ACSIncome.validation.parquet`` there (US census
microdata; income above 50,000 dollars), trains a gradient-boosted teacher on a third of the rows
and audits, on fresh samples of the others, students whose harms are known:

* **none**: the teacher's own answers, half of them exchanged between rows of the same groups,
  slices and label. Every rate of every group stays what it was; one answer in fifteen differs. The
  teacher's contrasts between the sexes are inherited.
* **introduced**: the same, and at one of three sites (drawn by lot, so that the teacher has no
  contrast there) a quarter of the favourable answers are withdrawn.
* **amplified**: the same, and among Black women half of them are withdrawn.
* **repaired**: women are given favourable answers until they have as many as men.
* **forgotten**: a third of the answers are wrong for the young in service occupations.
* **overconfident**: the probabilities are sharpened.
* **small**: a real small student, one shallow tree distilled from the teacher. Nobody planted its
  biases; a label is held against what all rows say.

It prints, over the seeds, how often each was found, and what was found that was not there.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

import kdaudit
from kdaudit.estimate import Estimate
from kdaudit.results import Finding, Results
from kdaudit.tables import Roles
from kdaudit.transfer import ABOUT

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

YES = "above 50k"
ROWS = 20_000
INPUTS = ["SCHL", "POBP", "OCCP", "RELP", "COW", "MAR", "WKHP", "AGEP", "SEX", "RAC1P"]
RACES = {0: "white", 1: "black", 5: "asian"}
ROLES: Roles = {
    "id": "id",
    "label": "income",
    "positive": YES,
    "sensitive": ["sex", "race", "site"],
    "slices": ["work", "age", "school"],
}
CONTRACT = (
    {"check": "FAI001", "each": ["sex"], "margin": 0.05},
    {"check": "FAI001", "each": ["site"], "margin": 0.03},
    {"check": "CAL003", "margin": 0.02},
    {"check": "ACC001", "margin": 0.05},
)
CHANGED = {"introduced", "amplified", "attenuated", "repaired", "reversed"}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Rows that the teacher was not trained on.

    Attributes:
        data: id, income and the groups.
        teacher: (N,) the teacher's probability of the favourable class.
        small: (N,) a small student's.
    """

    data: pd.DataFrame
    teacher: Floats
    small: Floats

    def sample(self, rng: np.random.Generator, rows: int = ROWS) -> "World":
        """Some of the rows, each at most once, with sites drawn by lot."""
        chosen = rng.choice(len(self.data), rows, replace=False)
        site = rng.choice(["north", "south", "west"], rows)
        data = self.data.iloc[chosen].assign(site=site).reset_index(drop=True)
        return World(data=data, teacher=self.teacher[chosen], small=self.small[chosen])


def load(folder: Path) -> World:
    """Read the data and train the teacher and the small student on a third of it."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.tree import DecisionTreeRegressor

    table = pd.read_parquet(folder / "ACSIncome.validation.parquet").reset_index(drop=True)
    train = np.random.default_rng(0).random(len(table)) < 1 / 3
    inputs, rich = table[INPUTS].to_numpy(np.float64), table.PINCP.to_numpy() == 1
    teacher = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    teacher.fit(inputs[train], rich[train])
    said = teacher.predict_proba(inputs)[:, 1]
    small = DecisionTreeRegressor(max_depth=5, min_samples_leaf=50, random_state=0)
    small.fit(inputs[train], said[train])
    data = pd.DataFrame(
        {
            "id": [f"p{i:06d}" for i in range(len(table))],
            "income": np.where(rich, YES, "below"),
            "sex": np.where(table.SEX == 1, "male", "female"),
            "race": [RACES.get(code, "other") for code in table.RAC1P],
            "work": _work(table.OCCP.to_numpy()),
            "age": pd.cut(
                table.AGEP, [0, 29, 44, 59, 120], labels=["-29", "30-44", "45-59", "60-"]
            ),
            "school": pd.cut(
                table.SCHL, [0, 15, 19, 20, 24], labels=["none", "school", "some", "degree"]
            ),
        }
    )
    held = ~train
    return World(
        data=data[held].astype(str),
        teacher=said[held],
        small=small.predict(inputs)[held].clip(0, 1),
    )


def _work(occupation: Floats) -> npt.NDArray[np.object_]:
    """Major groups of the census occupation codes."""
    ends = [3600, 4700, 5000, 6000, 7700]
    names = np.array(["office", "service", "sales", "clerical", "manual", "transport"], object)
    return names[np.digitize(occupation, ends)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one audit of one planted student must and must not say."""

    results: Results
    world: World
    student: Floats

    def label(self, where: str, code: str = "FAI001") -> str:
        """The label of a contrast, e.g. ``FAI001[sex=female]``."""
        return _label(self.results.finding(f"{code}[{where}]"))

    def changes(self) -> Counter[str]:
        """Labels that say a bias changed, by address."""
        return Counter(f.address for f in self.results.findings() if _says_change(_label(f)))


def _label(finding: Finding) -> str:
    label = finding.label
    return label.name if label is not None and label.about == ABOUT else ""


def _says_change(label: str) -> bool:
    return any(word in CHANGED for word in label.replace(", ", " or ").split(" or "))


Plant = Callable[[World, np.random.Generator], Floats]


def exchanged(world: World, rng: np.random.Generator) -> Floats:
    """The teacher's answers, half of them exchanged between rows alike in groups and label."""
    alike = list(world.data.columns.drop("id"))
    cell = world.data.groupby(alike, observed=True).ngroup().to_numpy()
    moving = rng.random(len(cell)) < 0.5
    rows = np.flatnonzero(moving)
    shuffled = rows[rng.permutation(len(rows))]
    out = world.teacher.copy()
    # Sorted by cell, the k-th moving row and the k-th shuffled one are of the same cell.
    here, there = (r[np.argsort(cell[r], kind="stable")] for r in (rows, shuffled))
    out[here] = world.teacher[there]
    return out


def introduced(world: World, rng: np.random.Generator) -> Floats:
    """A quarter of the favourable answers at one site are withdrawn."""
    return _withdrawn(exchanged(world, rng), (world.data.site == "west").to_numpy(), 0.25, rng)


def amplified(world: World, rng: np.random.Generator) -> Floats:
    """Half of the favourable answers to Black women are withdrawn."""
    group = ((world.data.race == "black") & (world.data.sex == "female")).to_numpy()
    return _withdrawn(exchanged(world, rng), group, 0.5, rng)


def repaired(world: World, rng: np.random.Generator) -> Floats:
    """Women are given favourable answers until they have as many as men."""
    said = exchanged(world, rng)
    women = (world.data.sex == "female").to_numpy()
    wanted = round(float((said[~women] >= 0.5).mean()) * int(women.sum()))
    poor = np.flatnonzero(women & (said < 0.5))
    lifted = rng.choice(poor, wanted - int((women & (said >= 0.5)).sum()), replace=False)
    said[lifted] = 1 - said[lifted]
    return said


def forgotten(world: World, rng: np.random.Generator) -> Floats:
    """A third of the right answers about the young in service occupations become wrong."""
    said = exchanged(world, rng)
    right = (said >= 0.5) == (world.data.income == YES).to_numpy()
    wrong = _slice(world) & right & (rng.random(len(said)) < 1 / 3)
    said[wrong] = 1 - said[wrong]
    return said


def overconfident(world: World, rng: np.random.Generator) -> Floats:
    """The probabilities are sharpened."""
    said = exchanged(world, rng).clip(1e-6, 1 - 1e-6)
    return np.asarray(1 / (1 + ((1 - said) / said) ** 1.6), np.float64)


def small(world: World, rng: np.random.Generator) -> Floats:
    """A real student; nobody planted anything."""
    del rng
    return world.small


def _slice(world: World) -> Bools:
    return ((world.data.work == "service") & (world.data.age == "-29")).to_numpy()


def _withdrawn(said: Floats, group: Bools, share: float, rng: np.random.Generator) -> Floats:
    gone = group & (said >= 0.5) & (rng.random(len(said)) < share)
    return np.where(gone, 1 - said, said)


def audited(world: World, student: Floats) -> Audit:
    """Audit one student as a user would, from tables."""
    tables = {
        name: pd.DataFrame({"id": world.data.id, f"p_{YES}": p, "p_below": 1 - p})
        for name, p in (("teacher", world.teacher), ("student", student))
    }
    results = kdaudit.audit(data=world.data, **tables, contract=CONTRACT, **ROLES)
    return Audit(results=results, world=world, student=student)


def _found_slice(audit: Audit) -> bool:
    """Whether a confirmed slice is mostly the planted one."""
    planted = _slice(audit.world)
    for finding in audit.results.findings():
        if finding.code == "SLC004" and finding.where and isinstance(finding.student, Estimate):
            columns = audit.world.data
            rows = np.all(
                [(columns[c] == v).to_numpy() for c, v in finding.where if c in columns], 0
            )
            if (rows & planted).sum() >= 0.5 * (rows | planted).sum():
                return True
    return False


def _slices(audit: Audit) -> int:
    return sum(
        f.code == "SLC004" and isinstance(f.student, Estimate) for f in audit.results.findings()
    )


def _gap_moved(audit: Audit) -> bool:
    change = audit.results.finding("CAL003").difference
    return isinstance(change, Estimate) and change.low > 0


def _failed(audit: Audit) -> bool:
    return audit.results.exit_code == 1


def _women(label: str) -> Callable[[Audit], bool]:
    return lambda audit: audit.label("sex=female") == label


Test = Callable[[Audit], bool]
BLACK_WOMEN = "race=black,sex=female"

EXPECTED: Mapping[str, tuple[Plant, Mapping[str, Test]]] = {
    "none": (exchanged, {"women: inherited": _women("inherited")}),
    "introduced": (
        introduced,
        {"site west: introduced": lambda a: a.label("site=west") == "introduced", "fails": _failed},
    ),
    "amplified": (
        amplified,
        {
            "black women: amplified": lambda a: a.label(BLACK_WOMEN) == "amplified",
            "women at large: inherited or amplified": lambda a: (
                a.label("sex=female") in ("inherited", "amplified")
            ),
        },
    ),
    "repaired": (repaired, {"women: repaired": _women("repaired")}),
    "forgotten": (forgotten, {"slice confirmed": _found_slice}),
    "overconfident": (
        overconfident,
        {"gap grew": _gap_moved, "fails": _failed, "women: inherited": _women("inherited")},
    ),
}
SILENT: Mapping[str, Test] = {
    "a bias changed": lambda a: bool(a.changes()),
    "a slice was confirmed": lambda a: _slices(a) > 0,
    "the gap moved": lambda a: (
        isinstance(d := a.results.finding("CAL003").difference, Estimate)
        and not d.low <= 0 <= d.high
    ),
    "a check failed": _failed,
}


@dataclass(slots=True)
class Counts:
    """How often what was expected was found, and how often what was not there was."""

    seeds: int
    found: dict[tuple[str, str], int] = field(default_factory=dict)
    alarms: dict[str, int] = field(default_factory=dict)
    contradicted: int = 0


def run(world: World, seeds: range, names: tuple[str, ...] = tuple(EXPECTED)) -> Counts:
    """Plant every harm once per seed and count what the audits say."""
    counts = Counts(len(seeds))
    for seed in seeds:
        for name in names:
            rng = np.random.default_rng([seed, *name.encode()])
            part = world.sample(rng)
            plant, tests = EXPECTED[name]
            audit = audited(part, plant(part, rng))
            for what, test in tests.items():
                key = (name, what)
                counts.found[key] = counts.found.get(key, 0) + test(audit)
            if name == "none":
                for what, test in SILENT.items():
                    counts.alarms[what] = counts.alarms.get(what, 0) + test(audit)
    return counts


def contradictions(world: World, seeds: range) -> tuple[int, int]:
    """Labels of the real small student that all rows contradict, and how many were said at all.

    Amplified, introduced: |S| > |T| on all rows; attenuated, repaired: |S| < |T|; reversed: other
    signs.
    """
    whole = replace(world, data=world.data.assign(site="none"))
    wrong = said = 0
    for seed in seeds:
        rng = np.random.default_rng([seed, 99])
        part = world.sample(rng)
        audit = audited(part, small(part, rng))
        for finding in audit.results.findings():
            label = _label(finding)
            if finding.code != "FAI001" or not _says_change(label) or "site" in dict(finding.where):
                continue
            said += 1
            t, s = (_contrast(whole, p, dict(finding.where)) for p in (world.teacher, world.small))
            wrong += not _true(label, t, s)
    return wrong, said


def _true(label: str, t: float, s: float) -> bool:
    """Whether one of the words that a label joins by "or" is true."""
    words = set(label.replace(", ", " or ").split(" or "))
    return bool(
        (words & {"amplified", "introduced"} and abs(s) > abs(t))
        or (words & {"attenuated", "repaired"} and abs(s) < abs(t))
        or ("reversed" in words and t * s < 0)
    )


def _contrast(world: World, said: Floats, where: Mapping[str, str]) -> float:
    group = np.all([(world.data[c] == v).to_numpy() for c, v in where.items()], axis=0)
    yes = said >= 0.5
    return float(yes[group].mean() - yes[~group].mean())


def main() -> int:
    """Print the counts; 1 where something planted was missed often or silence broken often."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, help="holds ACSIncome.validation.parquet")
    parser.add_argument("--seeds", type=int, default=20)
    chosen = parser.parse_args()
    started = time.perf_counter()
    world, seeds = load(chosen.folder), range(chosen.seeds)
    counts = run(world, seeds)
    wrong, said = contradictions(world, range(min(5, chosen.seeds)))
    n = counts.seeds
    lines = [f"{n} seeds, {ROWS:,} rows each; found, of {n}:"]
    lines += [f"  {name:14} {what:42} {k:3}" for (name, what), k in counts.found.items()]
    lines += [f"nothing planted; of {n}:"]
    lines += [f"  {'':14} {what:42} {k:3}" for what, k in counts.alarms.items()]
    lines += [f"a real small student: {said} labels of change, {wrong} contradicted by all rows"]
    lines += [f"{time.perf_counter() - started:.0f} s"]
    sys.stdout.write("\n".join(lines) + "\n")
    missed = any(k < 0.9 * n for k in counts.found.values())
    noisy = any(k > max(1, 0.15 * n) for k in counts.alarms.values())
    return int(missed or noisy or wrong > 0.05 * max(said, 1))


if __name__ == "__main__":
    sys.exit(main())
