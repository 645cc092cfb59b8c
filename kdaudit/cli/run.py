"""``kdaudit run``: distil if asked, audit, decide, render."""

from pathlib import Path

from kdaudit.cli.options import AsJson, AuditPath, Out, PolicyName, Retime


def run(
    audit: AuditPath = Path("audit.toml"),
    out: Out = None,
    policy: PolicyName = None,
    retime: Retime = False,  # noqa: FBT002  # typer's flag
    as_json: AsJson = False,  # noqa: FBT002  # typer's flag
) -> None:
    """Distil if asked, audit, decide and render the card.

    Everything already done is reused: running again costs nothing and gives the same bytes.
    """
    from kdaudit.cli.deciding import decide_and_exit

    decide_and_exit(audit, out, policy, retime=retime, as_json=as_json, train=True)
