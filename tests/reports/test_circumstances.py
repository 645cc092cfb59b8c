"""Lock, test wear and the contract that decided are told wherever a decision is."""

from dataclasses import replace

import pytest

from kdaudit.results import Limit, Outcome, Results
from kdaudit.run import Run, Wear
from kdaudit_reports import html, markdown, terminal
from kdaudit_reports.caveats import WORN


def test_a_lock_is_told_with_its_time_and_digest(results: Results, run: Run) -> None:
    assert results.lock is not None
    said = f"decided under a lock made at {results.lock.made}, sha256 {results.lock.digest[:12]}…"
    for render in (html.render, terminal.render):
        assert said in " ".join(render(results, run).split())
    unlocked = replace(results, lock=None)
    assert "no lock: nothing shows that the contract came before" in html.render(unlocked, run)
    assert "Lock: " not in terminal.render(unlocked, run)


@pytest.mark.parametrize(
    ("worn", "said"),
    [
        (Wear(decisions=1, students=1), "this audit split has decided once (1 student)"),
        (Wear(decisions=12, students=3), "this audit split has decided 12 times (3 students)"),
    ],
)
def test_wear_is_told(results: Results, run: Run, worn: Wear, said: str) -> None:
    told = replace(run, wear=worn)
    for text in (html.render(results, told), terminal.render(results, told)):
        assert said in text
    assert "These rows have now judged" not in html.render(results, told)


def test_much_wear_is_cautioned_against(results: Results, run: Run) -> None:
    told = replace(run, wear=Wear(decisions=WORN, students=WORN))
    assert f"These rows have now judged {WORN} students" in html.render(results, told)
    few = replace(run, wear=Wear(decisions=99, students=WORN - 1))
    assert "These rows have now judged" not in html.render(results, few)


def test_no_count_is_no_claim_of_fresh_rows(results: Results, run: Run) -> None:
    text = html.render(results, replace(run, wear=None))
    assert "<dt>test wear</dt><dd>not counted</dd>" in text


def test_which_contract_decided_again_is_told(results: Results, run: Run) -> None:
    again = replace(run, decided_by="by the contract of <b>.toml, from stored findings")
    assert "by the contract of &lt;b&gt;.toml" in html.render(results, again)
    for render in (terminal.render, markdown.render):
        assert "Decided again: by the contract of" in " ".join(render(results, again).split())


def test_of_the_teacher_alone_nothing_is_said_of_shipping(results: Results, run: Run) -> None:
    contract = tuple(
        replace(check, limit=Limit.AT_LEAST, each=(), where=()) for check in results.contract[:1]
    )
    verdicts = tuple(
        replace(v, outcome=Outcome.FAIL, blocks=True) for v in results.verdicts if v.check == 0
    )
    alone = replace(
        results,
        only="teacher",
        lock=None,
        contract=contract,
        verdicts=verdicts,
        outcome=Outcome.FAIL,
        exit_code=1,
    )
    for render in (html.render, terminal.render, markdown.render):
        text = render(alone, run)
        assert "The teacher misses fixed limits: 1 of 1 blocking check is not met" in text
        assert "Do not ship" not in text
    met = replace(alone, outcome=Outcome.PASS, exit_code=0, verdicts=())
    assert "May ship" not in terminal.render(met, run)
