"""``kdaudit audit``: audit models that exist; never train one."""

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


def audit(  # noqa: PLR0913  # each is an option of the command
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
    """Audit models that exist already, decide and render the card; never trains.

    A subject that says `distill` is read from the folder its recipe writes.
    """
    from kdaudit.cli.deciding import decide_and_exit, preview_and_exit
    from kdaudit.execute import Request

    request = Request(
        out=out,
        policy=policy,
        train=False,
        retime=retime,
        only=only,
        student=student,
        lock=lock,
    )
    (preview_and_exit if dry_run else decide_and_exit)(audit, request, as_json=as_json)
