"""``kdaudit run``: distil if asked, audit, decide, render."""

from pathlib import Path

from kdaudit.cli.options import (
    AsJson,
    AuditPath,
    DryRun,
    LockPath,
    Only,
    Out,
    PolicyName,
    Retime,
    StudentName,
)


def run(  # noqa: PLR0913  # each is an option of the command
    audit: AuditPath = Path("audit.toml"),
    *,
    out: Out = None,
    policy: PolicyName = None,
    student: StudentName = None,
    only: Only = None,
    lock: LockPath = None,
    retime: Retime = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    r"""Distil if asked, audit, decide and render the card.

    Everything already done is reused: running again costs nothing and gives the same bytes. Of
    several \[students.NAME] each is audited as a pair of its own, and a table compares them.
    """
    from kdaudit.cli.deciding import decide_and_exit, preview_and_exit
    from kdaudit.execute import Request

    request = Request(
        out=out,
        policy=policy,
        train=True,
        retime=retime,
        only=only,
        student=student,
        lock=lock,
    )
    (preview_and_exit if dry_run else decide_and_exit)(audit, request, as_json=as_json)
