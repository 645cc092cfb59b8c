"""The drill plants what it says, and sees what the contract can see: no more and no less."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdaudit import tables
from kdaudit.drill.derive import harms_of
from kdaudit.drill.drill import drill, trials_for
from kdaudit.drill.drilled import Drill, Omitted, Planted, closing, in_words
from kdaudit.drill.harms import (
    AccuracyLoss,
    Amplification,
    Harm,
    LostAbstention,
    Overconfidence,
    answers_of,
    inside,
    sharpening,
)
from kdaudit.drill.sample import Sample
from kdaudit.errors import ConfigError
from kdaudit.estimate import Estimate, NotMeasured
from kdaudit.evidence.kinds import Predictions
from kdaudit.evidence.view import Evidence, Streams
from kdaudit.gate import gate
from kdaudit.plan import Plan
from kdaudit.results import Need, Results
from kdaudit.results_file import canonical
from kdaudit.run_folder import RunFolder

Make = Callable[..., Evidence]
PREDICTIONS = Need(kind="predictions")
VARIANT = Need(kind="predictions", variant="counterfactual")


def student(evidence: Evidence) -> Predictions:
    return answers_of(evidence)


def draw(evidence: Make, seed: int, n: int = 400, classes: int = 3, **more: Any) -> Evidence:
    """N rows of which the student gets about 80% right, not too sure of them."""
    rng = np.random.default_rng(seed)
    label = rng.integers(classes, size=n)

    def answers() -> np.ndarray[Any, Any]:
        logits = rng.normal(size=(n, classes))
        logits[np.arange(n), label] += 1.5
        odds: np.ndarray[Any, Any] = np.exp(logits)
        odds /= odds.sum(axis=1, keepdims=True)
        return odds

    return evidence(
        label=label.tolist(),
        student=answers(),
        teacher=answers(),
        classes="abcdefgh"[:classes],
        attributes={
            "channel": rng.choice(["fax", "web"], n, p=[0.2, 0.8]).tolist(),
            "sex": rng.choice(["f", "m"], n, p=[0.3, 0.7]).tolist(),
        },
        slices=[("channel",)],
        sensitive=[("sex",)],
        positive=[0],
        **more,
    )


def consistent(predictions: Predictions) -> None:
    assert predictions.probabilities is not None
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1.0)
    assert (predictions.probabilities >= 0).all()
    assert (predictions.answer == predictions.probabilities.argmax(axis=1)).all()


@given(seed=st.integers(0, 999), size=st.sampled_from([0.03, 0.05, 0.1, 0.25]))
def test_a_loss_turns_just_so_many_right_answers_of_its_place_wrong(
    evidence: Make, seed: int, size: float
) -> None:
    made = draw(evidence, seed)
    where = (("channel", "fax"),)
    harmed = AccuracyLoss(size=size, where=where).inject(made, np.random.default_rng(seed))
    before, after = student(made), student(harmed)
    turned, group = before.answer != after.answer, inside(made.rows, where)
    assert not turned[~group].any()
    assert (before.answer == made.rows.label)[turned].all()
    assert abs(turned.sum() - size * group.sum()) < 1
    consistent(after)
    assert before.probabilities is not None
    assert after.probabilities is not None
    # The confidence of an answer is what it was: the probabilities have changed places.
    np.testing.assert_array_equal(np.sort(before.probabilities), np.sort(after.probabilities))
    untouched = before.probabilities[~turned] == after.probabilities[~turned]
    assert untouched.all()


def test_a_loss_in_a_few_rows_is_of_its_size_on_average(evidence: Make) -> None:
    made = draw(evidence, 0, n=30)
    counts = [
        int((student(made).answer != student(harmed).answer).sum())
        for seed in range(400)
        for harmed in [AccuracyLoss(size=0.05).inject(made, np.random.default_rng(seed))]
    ]
    assert set(counts) == {1, 2}
    assert abs(np.mean(counts) - 1.5) < 4 * 0.5 / 20


def test_a_loss_is_a_share_of_the_weight(evidence: Make) -> None:
    weight = np.random.default_rng(1).uniform(0.1, 4.0, 400)
    made = draw(evidence, 1, weight=weight.tolist())
    lost = [
        float(weight[student(made).answer != student(harmed).answer].sum() / weight.sum())
        for seed in range(300)
        for harmed in [AccuracyLoss(size=0.05).inject(made, np.random.default_rng(seed))]
    ]
    assert abs(np.mean(lost) - 0.05) < 4 * float(np.std(lost)) / np.sqrt(300)
    assert np.max(np.abs(np.array(lost) - 0.05)) <= 4.0 / weight.sum()


def test_a_student_of_labels_answers_another_class_and_missing_answers_stay_missing(
    evidence: Make,
) -> None:
    made = evidence(
        label=[0, 1, 2, 0] * 25, student=[0, 1, 2, -1] * 25, teacher=[0] * 100, classes="abc"
    )
    harmed = AccuracyLoss(size=0.5).inject(made, np.random.default_rng(0))
    answer = student(harmed).answer
    assert (answer[3::4] == -1).all()
    assert ((answer != made.rows.label) & (answer >= 0)).sum() == 50


def test_a_turned_answer_is_turned_in_every_variant(evidence: Make) -> None:
    made = draw(evidence, 2)
    made = replace(made, kinds={**made.kinds, VARIANT: made[PREDICTIONS]})
    harmed = AccuracyLoss(size=0.2).inject(made, np.random.default_rng(0))
    swapped = harmed[VARIANT].student
    assert isinstance(swapped, Predictions)
    assert (swapped.answer == student(harmed).answer).all()
    assert harmed[PREDICTIONS].teacher is made[PREDICTIONS].teacher


def gap(evidence: Evidence) -> float:
    subject = student(evidence)
    return float(subject.confidence.mean() - (subject.answer == evidence.rows.label).mean())


@given(seed=st.integers(0, 999), size=st.sampled_from([0.05, 0.1]))
def test_overconfidence_exceeds_what_is_earned_by_its_size(
    evidence: Make, seed: int, size: float
) -> None:
    made = draw(evidence, seed)
    power = sharpening(made, size)
    assert power is not None
    harmed = Overconfidence(size=size, power=power).inject(made, np.random.default_rng(0))
    assert gap(harmed) == pytest.approx(max(gap(made), 0.0) + size, abs=1e-5)
    assert (student(harmed).answer == student(made).answer).all()
    consistent(student(harmed))


def test_overconfidence_is_the_students_everywhere(evidence: Make) -> None:
    made = draw(evidence, 3)
    made = replace(made, outside=draw(evidence, 4), validation=draw(evidence, 5))
    harmed = Overconfidence(size=0.1, power=2.0).inject(made, np.random.default_rng(0))
    assert harmed.outside is not None
    assert harmed.validation is not None
    for part, before in ((harmed.outside, made.outside), (harmed.validation, made.validation)):
        assert before is not None
        assert student(part).confidence.mean() > student(before).confidence.mean()


def test_an_answer_by_threshold_keeps_its_confidence_when_others_sharpen(evidence: Make) -> None:
    made = evidence(label=[0, 0], student=np.array([[0.4, 0.6], [0.9, 0.1]]), teacher=[0, 0])
    by_threshold = replace(student(made), answer=np.array([0, 0]))
    trio = replace(made[PREDICTIONS], student=by_threshold)
    made = replace(made, kinds={PREDICTIONS: trio})
    harmed = Overconfidence(size=0.1, power=2.0).inject(made, np.random.default_rng(0))
    np.testing.assert_allclose(student(harmed).confidence, [0.4, 0.81 / 0.82])


@given(seed=st.integers(0, 999), size=st.sampled_from([0.05, 0.1]), fewer=st.booleans())
def test_amplification_moves_only_the_groups_selection_rate(
    evidence: Make, *, seed: int, size: float, fewer: bool
) -> None:
    made = draw(evidence, seed)
    where = (("sex", "f"),)
    harm = Amplification(size=size, where=where, fewer=fewer)
    before = student(made)
    after = student(harm.inject(made, np.random.default_rng(seed)))
    group = inside(made.rows, where)
    assert (before.answer == after.answer)[~group].all()
    moved = (after.answer == 0)[group].mean() - (before.answer == 0)[group].mean()
    assert abs(moved - (-size if fewer else size)) < 1 / group.sum()
    consistent(after)


@given(seed=st.integers(0, 999), below=st.sampled_from([0.45, 0.6, 0.9]))
def test_lost_abstention_adds_claims_whatever_counts_as_one(
    evidence: Make, seed: int, below: float
) -> None:
    made = replace(draw(evidence, 0), outside=draw(evidence, seed, n=200))
    harmed = LostAbstention(size=0.1).inject(made, np.random.default_rng(seed))
    assert made.outside is not None
    assert harmed.outside is not None
    before, after = student(made.outside), student(harmed.outside)
    abstained = int((before.confidence < below).sum())
    claims = (after.confidence >= below).sum() - (before.confidence >= below).sum()
    assert claims == min(20, abstained)
    assert student(harmed) is not None
    assert (student(harmed).confidence == student(made).confidence).all()
    consistent(after)


def test_answers_that_reject_a_row_are_lost_first(evidence: Make) -> None:
    outside = evidence(
        label=[-1] * 10, student=[2] * 4 + [0] * 6, teacher=[2] * 10, classes="abo", rejecting=[2]
    )
    made = replace(draw(evidence, 0), outside=outside)
    harmed = LostAbstention(size=0.3).inject(made, np.random.default_rng(0)).outside
    assert harmed is not None
    assert (student(harmed).answer == 2).sum() == 1


def test_a_sample_draws_clusters_as_wholes_and_names_every_row_anew(evidence: Make) -> None:
    cluster = np.repeat(np.arange(40), np.tile([5, 15], 20))
    made = draw(evidence, 6, cluster=cluster.tolist())
    sample = Sample.draw(made, np.random.default_rng(0))
    drawn = sample.of(made)
    assert drawn.rows.cluster is not None
    assert len(set(drawn.rows.ids)) == len(drawn.rows)
    assert list(drawn.rows.ids) == sorted(drawn.rows.ids)
    sizes = np.bincount(drawn.rows.cluster)
    assert len(sizes) == 40
    for code, size in enumerate(sizes):
        mine = sample.rows[drawn.rows.cluster == code]
        (original,) = set(cluster[mine])
        assert sorted(mine) == np.flatnonzero(cluster == original).tolist()
        assert size == len(mine)
    assert (drawn.rows.label == made.rows.label[sample.rows]).all()
    assert (student(drawn).answer == student(made).answer[sample.rows]).all()


def test_harms_are_derived_from_the_data_and_what_cannot_be_planted_has_a_reason(
    evidence: Make,
) -> None:
    found, omitted = harms_of(draw(evidence, 7))
    places = {harm.where for harm in found if harm.kind == "accuracy loss"}
    assert {(), (("channel", "fax"),), (("channel", "web"),), (("sex", "f"),)} <= places
    assert [harm.size for harm in found if harm.kind == "overconfidence"] == [0.05, 0.1]
    assert {harm.where for harm in found if harm.kind == "amplification"} == {(("sex", "f"),)}
    assert [one.kind for one in omitted] == ["lost abstention"]
    labels = evidence(label=[0, 1] * 50, student=[0, 1] * 49 + [1, 1], teacher=[0] * 100)
    found, omitted = harms_of(labels)
    assert {harm.kind for harm in found} == {"accuracy loss"}
    assert {one.kind for one in omitted} == {
        "accuracy loss in a slice",
        "overconfidence",
        "amplification",
        "lost abstention",
    }
    blind = replace(labels, unlabelled=NotMeasured("the labels are the teacher's answers"))
    found, omitted = harms_of(blind)
    assert found == ()
    assert omitted[0] == Omitted(
        kind="accuracy loss", reason="the labels are the teacher's answers"
    )


def test_a_group_that_is_favoured_is_favoured_more(evidence: Make) -> None:
    made = evidence(
        label=[0, 1] * 50,
        student=[0] * 15 + [1] * 5 + [0] * 20 + [1] * 60,
        teacher=[0] * 100,
        attributes={"sex": ["f"] * 20 + ["m"] * 80},
        sensitive=[("sex",)],
        positive=[0],
    )
    moved = [harm for harm in harms_of(made)[0] if isinstance(harm, Amplification)]
    assert {(harm.where, harm.fewer) for harm in moved} == {((("sex", "f"),), False)}


Audited = tuple[Plan, Evidence, Results]


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch, world: Callable[..., Any]) -> Callable[..., Audited]:
    """Audit a `World`, and keep what its suites were given."""
    from kdaudit.pipeline import run_plan

    kept: list[tuple[Plan, Evidence]] = []

    def keep(plan: Plan, *rest: Any) -> Any:
        done = run_plan(plan, *rest)
        kept.append((plan, done.evidence))
        return done

    monkeypatch.setattr(tables, "run_plan", keep)

    def call(contract: Sequence[Mapping[str, Any]], **drawn: Any) -> Audited:
        changed = {key: drawn.pop(key) for key in ("sensitive", "slices") if key in drawn}
        made = world(**drawn)
        results = made.audit(contract, suites={"slices": {"discover": False}}, **changed)
        return *kept[-1], results

    return call


def drilled(audit: Audited, trials: int = 12) -> Drill:
    plan, seen, results = audit
    return drill(seen, plan.suites, results, digest="0" * 64, trials=trials)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plant some of the harms: what the others do is not looked at, and takes its time."""

    def call(*kinds: str, sizes: Sequence[float] = (0.05, 0.1), places: int = 99) -> None:
        def some(evidence: Evidence) -> tuple[tuple[Harm, ...], tuple[Omitted, ...]]:
            found, omitted = harms_of(evidence)
            kept = [harm for harm in found if harm.kind in kinds and harm.size in sizes]
            return tuple(kept[:places]), omitted

        monkeypatch.setattr("kdaudit.drill.drill.harms_of", some)

    return call


def of(drill: Drill, kind: str, size: float, where: tuple[tuple[str, str], ...] = ()) -> Planted:
    (found,) = [
        one for one in drill.planted if (one.kind, one.size, one.where) == (kind, size, where)
    ]
    return found


ACCURACY = {"check": "ACC001", "margin": 0.03}


@pytest.fixture
def close(audited: Callable[..., Audited]) -> Callable[..., Audited]:
    """An audit of a student close to its teacher, without slices and groups."""

    def call(*contract: Mapping[str, Any], n: int) -> Audited:
        drawn = {"teacher_right": 0.85, "student_right": 0.92}
        return audited(contract, n=n, sensitive=[], slices=[], **drawn)

    return call


def test_an_audit_of_many_rows_sees_what_its_contract_is_about(
    close: Callable[..., Audited], only: Callable[..., None]
) -> None:
    # The student starts level with its teacher, so that it ends ten points below, of 2,500 rows.
    only("accuracy loss", sizes=[0.1], places=1)
    lost = of(drilled(close({"check": "ACC001", "margin": 0.03}, n=2500)), "accuracy loss", 0.1)
    assert (lost.seen.value, lost.noticed, lost.rows) == (1.0, "shown", 2500)
    assert (lost.by[0].address, lost.by[0].seen) == ("ACC001", 12)
    assert lost.seen.n == 12
    # Wilson of as many trials as these 12 of the same rows are worth.
    worth = 1 / (1 / 12 + 1 / 300)
    assert lost.seen.low == pytest.approx(worth / (worth + 1.6448536**2))


def test_only_a_contract_that_asks_for_calibration_sees_overconfidence(
    close: Callable[..., Audited], only: Callable[..., None]
) -> None:
    only("overconfidence", sizes=[0.05])
    blind = of(drilled(close(ACCURACY, n=1500)), "overconfidence", 0.05)
    assert (blind.seen.value, blind.stopped.value, blind.by) == (0.0, 0.0, ())
    assert blind.noticed == "unseen"
    assert "no check noticed it" in in_words(blind)
    asked = close(ACCURACY, {"check": "CAL003", "at_most": 0.02}, n=3000)
    seen = of(drilled(asked), "overconfidence", 0.05)
    assert {one.address for one in seen.by} == {"CAL003"}
    assert seen.seen.value > 0.5


def test_a_loss_in_a_small_slice_that_no_check_looks_at_goes_unseen(
    audited: Callable[..., Audited], only: Callable[..., None]
) -> None:
    only("accuracy loss", sizes=[0.1], places=2)
    plan, seen, results = audited([{"check": "ACC001", "margin": 0.05}], n=2000)
    rare = np.where(np.arange(2000) < 20, 0, 1).astype(np.int64)
    channel = replace(seen.rows.column("channel"), codes=rare, values=("rare", "web"))
    rows = replace(seen.rows, attributes={**seen.rows.attributes, "channel": channel})
    done = drilled((plan, replace(seen, rows=rows), results), 8)
    lost = of(done, "accuracy loss", 0.1, (("channel", "rare"),))
    assert lost.rows == 20
    assert (lost.seen.value, lost.noticed) == (0.0, "unseen")


def test_the_same_seed_plants_the_same_and_further_trials_change_none_before_them(
    close: Callable[..., Audited],
) -> None:
    audit = close({"check": "ACC001", "margin": 0.06}, n=600)
    first = drilled(audit, 5)
    assert first == drilled(audit, 5)
    for one, other in zip(first.planted, drilled(audit, 8).planted, strict=True):
        count = round(other.stopped.value * 8) - round(one.stopped.value * 5)
        assert 0 <= count <= 3  # the first five trials are the same ones


def test_a_larger_harm_is_seen_more_often(
    close: Callable[..., Audited], only: Callable[..., None]
) -> None:
    only("accuracy loss")
    done = drilled(close({"check": "ACC001", "margin": 0.06}, n=800))
    smaller = [one for one in done.planted if one.size == 0.05]
    larger = [one for one in done.planted if one.size == 0.1]
    assert sum(one.seen.value for one in smaller) < sum(one.seen.value for one in larger)
    assert sum(one.stopped.value for one in smaller) < sum(one.stopped.value for one in larger)


CONTRACT = (
    ACCURACY,
    {"check": "CAL003", "margin": 0.05},
    {"check": "CAL001", "margin": 0.05},
    {"check": "SLC001", "each": ["channel"], "margin": 0.1},
    {"check": "FAI001", "each": ["age", "sex"], "margin": 0.1},
    {"check": "FAI008", "each": ["attribute"], "margin": 0.1},
    {"check": "HAL003", "margin": 0.1},
)


def test_only_what_is_asked_for_is_measured_and_every_number_of_it_is_the_same(
    audited: Callable[..., Audited],
) -> None:
    plan, seen, results = audited(CONTRACT, n=300, classes=3, outside=60, baseline=True)
    codes = {code for suite in results.suites for code in suite.codes}
    for asked in (codes, *({code} for code in codes)):
        lean = replace(seen, asked=frozenset(asked))
        for suite, whole in zip(plan.suites, results.suites, strict=True):
            if not asked.intersection(whole.codes):
                continue
            less = suite.run(lean, Streams(results.seed))
            wanted, found = (
                {f.address: replace(f, note="", label=None) for f in one if f.code in asked}
                for one in (whole.findings, less.findings)
            )
            assert found == wanted, (suite.name, asked)


def test_every_kind_of_harm_is_planted_where_it_can_be(
    audited: Callable[..., Audited], only: Callable[..., None]
) -> None:
    only("accuracy loss", "overconfidence", "amplification", "lost abstention", sizes=[0.05])
    done = drilled(audited(CONTRACT, n=300, classes=3, outside=60, clusters=40, weighted=True), 2)
    kinds = {one.kind for one in done.planted}
    assert kinds == {"accuracy loss", "overconfidence", "amplification", "lost abstention"}
    assert done == canonical(done)
    assert closing(done).startswith(f"Of {len(done.planted)} planted harms")


def test_what_has_no_student_or_no_check_cannot_be_drilled(
    audited: Callable[..., Audited],
) -> None:
    with pytest.raises(ConfigError, match="declares no check"):
        drilled(audited([]))
    plan, seen, results = audited([ACCURACY])
    with pytest.raises(ConfigError, match="only the teacher"):
        drilled((plan, seen, replace(results, only="teacher")))
    with pytest.raises(ValueError, match="at least one trial"):
        drilled((plan, seen, results), 0)
    broken = replace(results.suites[0], error="it fell over")
    with pytest.raises(ConfigError, match="crashed in this audit"):
        drilled((plan, seen, replace(results, suites=(broken, *results.suites[1:]))))


def test_a_large_audit_is_drilled_fewer_times() -> None:
    assert [trials_for(n) for n in (1, 20_000, 50_000, 10**7)] == [100, 100, 40, 30]


@pytest.fixture
def project(tmp_path: Path, world: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("KDAUDIT_STORE", raising=False)
    made = world(n=300, teacher_right=0.9, student_right=0.97)
    for name in ("data", "teacher", "student"):
        getattr(made, name).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "audit.toml").write_text(
        """
[audit]
name = "demo"
[data]
path = "data.csv"
id = "id"
label = "label"
slices = ["channel"]
[teacher]
predictions = "teacher.csv"
[student]
predictions = "student.csv"
[[contract]]
check = "ACC001"
margin = 0.1
""",
        "utf-8",
    )
    return tmp_path


def test_the_command_tells_what_could_not_be_seen_and_the_card_keeps_it(
    project: Path, kdaudit: Callable[..., Any], only: Callable[..., None]
) -> None:
    only("accuracy loss", "overconfidence", sizes=[0.05])
    audit, folder = project / "audit.toml", RunFolder(project / "kdaudit-out" / "demo")
    early = kdaudit("drill", audit)
    assert (early.code, "`kdaudit run` makes one" in early.err) == (2, True)
    kdaudit("audit", audit)
    plain = folder.card.read_text("utf-8")
    assert "What this audit could have seen" not in plain
    said = kdaudit("drill", audit, "--replicates", "30")
    assert (said.code, said.last) == (0, f"card: {folder.card}")
    assert "Could have gone unseen:" in said.out
    assert "The student claims 5 points more confidence than its answers earn (n = 300)" in said.out
    stored = folder.run().drill
    assert stored is not None
    assert stored.trials == 30
    card = folder.card.read_text("utf-8")
    for one in stored.planted:
        if one.noticed == "unseen":
            assert in_words(one) in card
    assert "could have gone unseen; the drill below names them" in card
    assert json.loads((folder.path / "drill.json").read_text("utf-8"))["format"] == 1
    # Nothing new happens: the drill stays, byte for byte.
    kept = {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}
    kdaudit("audit", audit)
    assert kept == {
        path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()
    }
    assert kdaudit("card", folder.path).out == card


def test_a_drill_of_other_results_or_another_contract_is_dropped(
    project: Path, kdaudit: Callable[..., Any], only: Callable[..., None]
) -> None:
    only("accuracy loss", "overconfidence", sizes=[0.05])
    audit, folder = project / "audit.toml", RunFolder(project / "kdaudit-out" / "demo")
    kdaudit("audit", audit)
    said = kdaudit("drill", audit, "--replicates", "30", "--json")
    assert said.out == (folder.path / "drill.json").read_text("utf-8")
    assert gate(folder.path).run.drill is not None
    assert gate(folder.path, audit).run.drill is None
    audit.write_text(audit.read_text("utf-8").replace("0.1", "0.2"), "utf-8")
    stale = kdaudit("drill", audit)
    assert (stale.code, "Audit again first" in stale.err) == (2, True)
    kept = (folder.path / "run.json").read_bytes()
    kdaudit("audit", audit)
    assert folder.run().drill is None
    assert not (folder.path / "drill.json").exists()
    (folder.path / "run.json").write_bytes(kept)  # as if copied from elsewhere
    assert folder.run().drill is None


def test_too_few_trials_to_rely_on_are_refused(project: Path, kdaudit: Callable[..., Any]) -> None:
    assert kdaudit("drill", project / "audit.toml", "--replicates", "10").code == 2


def test_a_harm_says_what_it_is() -> None:
    harms: list[Harm] = [
        AccuracyLoss(size=0.05),
        AccuracyLoss(size=0.1, where=(("channel", "fax"),)),
        Amplification(size=0.05, where=(("sex", "f"),)),
        LostAbstention(size=0.1),
    ]
    assert [harm.said for harm in harms] == [
        "the student loses 5 points of accuracy over all rows",
        "the student loses 10 points of accuracy where channel = fax",
        "the student withdraws 5 points of favourable answers where sex = f",
        "the student claims 10 points more of the out-of-scope rows",
    ]


def test_a_sighting_is_said_with_its_interval() -> None:
    half = Estimate(value=0.5, low=0.42, high=0.58, n=100, level=0.9, method="Wilson score")
    sure = replace(half, value=0.99, low=0.96, high=0.997)
    one = Planted(
        kind="accuracy loss", harm="the student errs", size=0.05, rows=1200, seen=half, stopped=sure
    )
    assert one.noticed == "held back"
    assert in_words(replace(one, by=())) == (
        "The student errs (n = 1,200): shown in 50% [42%, 58%], held back in 99% [96%, 99.7%] of "
        "audits like this one; no check noticed it in any trial."
    )
