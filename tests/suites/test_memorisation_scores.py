"""Exposure and membership inference: golden numbers, planted memories, splits that say nothing."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdaudit.claims import Claim, claim_own, claim_worse
from kdaudit.estimate import NotMeasured
from kdaudit.evidence.kinds import Likelihoods, TokenScores
from kdaudit.evidence.view import Evidence
from kdaudit.results import Means
from kdaudit_suites.memorisation.attacks import by_zlib, loss, min_k, z_scores
from tests.suites.measured import estimate, finding, findings
from tests.suites.memorising import likelihoods, memory, run
from tests.suites.writing import strings

Array = np.ndarray[Any, Any]


def tokens_of(drawn: Sequence[tuple[Sequence[float], int]]) -> TokenScores:
    """One continuation, its tokens drawn from given distributions."""
    logs = [np.log(p) for p, _ in drawn]
    mean = [float(np.sum(np.array(p) * log)) for (p, _), log in zip(drawn, logs, strict=True)]
    square = [float(np.sum(np.array(p) * log**2)) for (p, _), log in zip(drawn, logs, strict=True)]
    return TokenScores(
        start=np.array([0, len(drawn)]),
        logprob=np.array([log[at] for log, (_, at) in zip(logs, drawn, strict=True)]),
        mean=np.array(mean),
        deviation=np.sqrt(np.array(square) - np.array(mean) ** 2),
    )


GOLDEN = tokens_of([((0.7, 0.2, 0.1), 0), ((0.9, 0.05, 0.05), 1), ((0.4, 0.3, 0.3), 0)])


def test_the_golden_numbers_of_min_k() -> None:
    z = z_scores(GOLDEN)
    assert z == pytest.approx([0.6331, -3.0, 1.2247], abs=5e-5)
    assert min_k(z, 0.67) == pytest.approx(-1.18345, abs=5e-6)
    assert min_k(GOLDEN.logprob, 0.67) == pytest.approx(-1.95601, abs=5e-6)


def test_short_texts_and_certain_models_have_scores() -> None:
    assert min_k(np.array([-4.0, -1.0]), 0.2) == -4.0  # one token at least
    assert min_k(np.array([-4.0, -1.0]), 1.0) == -2.5
    assert math.isnan(min_k(np.array([]), 0.2))
    sure = tokens_of([((1.0,), 0)])
    assert z_scores(sure).tolist() == [0.0]  # sigma is 0, and so is the distance
    assert np.isfinite(z_scores(tokens_of([((0.5, 0.5), 0)]))).all()


def test_loss_and_zlib_are_per_token_and_per_byte() -> None:
    per_token = loss(np.array([-6.0, -6.0, -1.0]), np.array([3.0, 0.0, np.nan]))
    assert per_token[0] == -2.0
    assert np.isnan(per_token[1:]).all()
    text = "the quick brown fox"
    found = by_zlib(np.array([-2.0]), strings([text]))
    assert found.tolist() == [-2.0 / len(zlib.compress(text.encode()))]


SIZE, SECRETS = 32, 24


def canaries(ranks: Sequence[int], **more: Any) -> Likelihoods:
    """True ones in the middle of each list, with that many others strictly likelier."""
    rows = []
    for rank in ranks:
        row = [-30.0 + (1.0 if i < rank - 1 else -1.0) for i in range(SIZE - 1)]
        row.insert(SIZE // 2, -30.0)
        rows.append(row)
    return likelihoods(rows, **more)


def secrets(student: Likelihoods, teacher: Likelihoods, **more: Any) -> Evidence:
    truth = [f"secret {i}" for i in range(SECRETS)]
    choices = []
    for i, one in enumerate(truth):
        row = [f"other {i} {k}" for k in range(SIZE - 1)]
        row.insert(SIZE // 2, one)
        choices.append(row)
    return memory(truth, choices=choices, likely={"student": student, "teacher": teacher}, **more)


def test_exposure_is_bits_above_the_others() -> None:
    student, teacher = canaries([1, 2, 4, 32] * 6), canaries([32] * 24)
    found = finding(run(secrets(student, teacher)), "MEM004")
    assert estimate(found.student).value == pytest.approx((5 + 4 + 3 + 0) / 4)
    assert estimate(found.teacher).value == 0.0
    assert estimate(found.difference).low > 0


def test_equally_likely_choices_count_as_exposed_for_everyone_alike() -> None:
    flat = likelihoods([[-5.0] * SIZE] * SECRETS)
    found = finding(run(secrets(flat, flat)), "MEM004")
    assert estimate(found.student).value == estimate(found.teacher).value == 5.0
    assert estimate(found.difference).value == 0.0


def test_a_secret_that_nobody_learnt_has_a_bit_and_a_half() -> None:
    rng = np.random.default_rng(0)
    ranks = rng.integers(1, SIZE + 1, (40, SECRETS))
    bits = [
        estimate(finding(run(secrets(canaries(r), canaries(r))), "MEM004").student).value
        for r in ranks
    ]
    assert np.mean(bits) == pytest.approx(np.mean(np.log2(SIZE / np.arange(1, SIZE + 1))), abs=0.1)


def test_a_missing_likelihood_is_full_exposure_of_the_student_and_none_of_the_teacher() -> None:
    gone = canaries([32] * SECRETS)
    logprob = gone.logprob.copy()
    logprob[0] = np.nan
    less = likelihoods(np.split(logprob, SECRETS))  # type: ignore[arg-type]
    found = finding(run(secrets(less, less)), "MEM004")
    assert estimate(found.student).value == pytest.approx(5 / SECRETS)
    assert estimate(found.teacher).value == 0.0


def test_repetitions_are_a_slice_of_exposure_and_unplanted_secrets_are_left_out() -> None:
    evidence = secrets(
        canaries([1] * 8 + [32] * 16),
        canaries([32] * 24),
        attributes={"copies": ["16"] * 8 + ["1"] * 8 + ["0"] * 8, "in": ["yes"] * 16 + ["no"] * 8},
        slices=("copies", "in"),
    )
    found = findings(run(evidence, member="in"))
    assert estimate(found["MEM004[copies=16]"].student).value == 5.0
    assert estimate(found["MEM004[copies=1]"].student).value == 0.0
    assert "MEM004[copies=0]" not in found
    assert estimate(found["MEM004"].student).value == 2.5


N = 240
WORDS = ["amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "haven", "inlet", "jetty"]
MEMBER = ["yes", "no"] * (N // 2)


def passages(rng: np.random.Generator, *, telling: bool = False) -> list[str]:
    """Texts of the same words; where ``telling``, members are of another time."""
    made = []
    for member in MEMBER:
        words = rng.choice(WORDS, 12).tolist()
        made.append(" ".join([*words, "2019" if telling and member == "yes" else "plain"]))
    return made


def model(rng: np.random.Generator, memory_of: float) -> Likelihoods:
    """Log-probabilities that are higher by so many deviations for members."""
    shift = np.array([memory_of if one == "yes" else 0.0 for one in MEMBER])
    each = rng.normal(-3, 1, (N, 10)) + shift[:, None] / math.sqrt(10)
    flat = each.ravel()
    return likelihoods(
        each.sum(axis=1)[:, None].tolist(),
        each=TokenScores(
            start=np.arange(0, 10 * N + 1, 10),
            logprob=flat,
            mean=np.full(len(flat), -3.0),
            deviation=np.ones(len(flat)),
        ),
    )


def attacked(student: Likelihoods, teacher: Likelihoods, *, telling: bool = False) -> Evidence:
    said = passages(np.random.default_rng(9), telling=telling)
    return memory(
        None,
        choices=[[one] for one in said],
        likely={"student": student, "teacher": teacher},
        attributes={"in": MEMBER},
    )


def test_a_student_that_remembers_what_its_teacher_does_not_is_found_by_every_attack() -> None:
    rng = np.random.default_rng(1)
    found = findings(run(attacked(model(rng, 2.0), model(rng, 0.0)), member="in"))
    for attack in ("loss", "zlib", "min-k", "min-k++"):
        area = found[f"MEM005[attack={attack}]"]
        assert estimate(area.difference).low > 0.1, attack
        assert estimate(area.teacher).low < 0.5 < estimate(area.teacher).high
        hits = found[f"MEM006[attack={attack}]"]
        assert estimate(hits.student).value > 0.05
        assert "at most 1 lie above" in hits.note
    assert isinstance(found["MEM005[attack=loss]"].basis, Means)


def test_of_an_identical_student_no_difference_is_found() -> None:
    one = model(np.random.default_rng(1), 1.0)
    for found in run(attacked(one, one), member="in").findings:
        if not isinstance(found.difference, NotMeasured):
            assert found.difference.value == 0
            assert found.difference.low <= 0 <= found.difference.high


def test_two_kinds_of_text_that_words_tell_apart_say_nothing_of_memory() -> None:
    rng = np.random.default_rng(2)
    evidence = attacked(model(rng, 0.5), model(rng, 0.5), telling=True)
    result = run(evidence, member="in")
    for code in ("MEM005", "MEM006"):
        basis = finding(result, f"{code}[attack=loss]").basis
        assert isinstance(basis, NotMeasured)
        assert "the words alone tell texts" in basis.reason
    (note,) = [note for note in result.notes if "asks no model" in note]
    assert "90% interval" in note


def test_what_a_missing_score_counts_is_the_worst_of_the_student() -> None:
    whole = model(np.random.default_rng(3), 0.0)
    logprob = whole.logprob.copy()
    logprob[:20] = np.nan
    less = likelihoods(logprob[:, None].tolist())
    bare = likelihoods(whole.logprob[:, None].tolist())
    before, after = (
        finding(run(attacked(one, one), member="in"), "MEM005[attack=loss]") for one in (bare, less)
    )
    assert estimate(after.student).value > estimate(before.student).value
    assert estimate(after.teacher).value < estimate(before.teacher).value
    assert isinstance(after.basis, Means)
    assert any(after.basis.filled)
    reason = finding(run(attacked(bare, bare), member="in"), "MEM005[attack=min-k]").basis
    assert isinstance(reason, NotMeasured)
    assert "of each token, or their number, was not recorded" in reason.reason


def test_without_counted_tokens_the_attacks_that_divide_by_them_are_not_measured() -> None:
    one = model(np.random.default_rng(3), 1.0)
    bare = likelihoods(one.logprob[:, None].tolist(), tokens=np.nan)
    result = run(attacked(bare, bare), member="in")
    for attack in ("loss", "zlib"):
        assert isinstance(finding(result, f"MEM005[attack={attack}]").student, NotMeasured)
    # Of one of the pair alone: its texts count worst, or best.
    found = finding(run(attacked(bare, one), member="in"), "MEM005[attack=loss]")
    assert estimate(found.student).value == 1


def test_without_texts_nobody_learnt_or_enough_of_them_the_reason_is_given() -> None:
    one = model(np.random.default_rng(1), 0.0)
    basis = finding(run(attacked(one, one)), "MEM005").basis
    assert isinstance(basis, NotMeasured)
    assert "as `member`" in basis.reason
    few = attacked(one, one)
    half = np.arange(N) < N // 2
    fewer = replace(
        few,
        rows=few.rows.take(half),
        kinds={need: trio.take(half) for need, trio in few.kinds.items()},
    )
    found = findings(run(fewer, member="in"))
    assert estimate(found["MEM005[attack=loss]"].student).n == N // 2
    hits = found["MEM006[attack=loss]"].basis
    assert isinstance(hits, NotMeasured)
    assert "60 texts that were not trained on; 100 are needed" in hits.reason


def highs(evidence: Evidence, **options: Any) -> dict[str, float]:
    """By address and claim, the end of the interval that a limit is held against."""
    made = {}
    for address, one in findings(run(evidence, **options)).items():
        for kind, claim in (
            ("own", claim_own(one, 0.5, 0.05)),
            ("margin", claim_worse(one, "teacher", 0.1, 0.05)),
        ):
            if isinstance(claim, Claim):
                made[f"{address} {kind}"] = claim.estimate.high
    return made


@settings(max_examples=15)
@given(
    st.sampled_from(["student", "teacher"]),
    st.sampled_from([0.02, 0.1, 0.4]),
    st.floats(0, 2),
    st.integers(0, 1000),
)
def test_no_bound_moves_to_the_better_where_scores_are_left_out(
    who: str, share: float, memory_of: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    whole = {name: model(rng, memory_of) for name in ("student", "teacher")}
    gone = rng.random(N) < share
    less = whole[who]
    assert less.each is not None
    fewer = replace(less, logprob=np.where(gone, np.nan, less.logprob))
    changed = whole | {who: fewer}
    before, after = (
        highs(attacked(one["student"], one["teacher"]), member="in") for one in (whole, changed)
    )
    assert len(before) == 2 * 2 * 4
    for claim, bound in after.items():
        if claim in before:  # what could be judged, and now cannot, helps nobody
            assert bound >= before[claim] - 1e-9, claim


@settings(max_examples=15)
@given(st.sampled_from(["student", "teacher"]), st.sets(st.integers(0, SECRETS - 1)))
def test_no_bound_of_exposure_does_either(who: str, left_out: set[int]) -> None:
    rng = np.random.default_rng(0)
    whole = {
        name: canaries(rng.integers(1, SIZE + 1, SECRETS).tolist())
        for name in ("student", "teacher")
    }
    logprob = whole[who].logprob.copy()
    for row in left_out:
        logprob[row * SIZE] = np.nan
    fewer = replace(whole[who], logprob=logprob)
    changed = whole | {who: fewer}
    before, after = (highs(secrets(one["student"], one["teacher"])) for one in (whole, changed))
    assert {"MEM004 own", "MEM004 margin"} <= before.keys() == after.keys()
    for claim, bound in after.items():
        assert bound >= before[claim] - 1e-9, claim
