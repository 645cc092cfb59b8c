"""``kdaudit audit``: audit models that exist; never train one."""

from pathlib import Path

from kdaudit.cli.options import AsJson, AuditPath, Out, PolicyName, Retime


def audit(
    audit: AuditPath = Path("audit.toml"),
    out: Out = None,
    policy: PolicyName = None,
    retime: Retime = False,  # noqa: FBT002  # typer's flag
    as_json: AsJson = False,  # noqa: FBT002  # typer's flag
) -> None:
    """Audit models that exist already, decide and render the card; never trains.

    A subject that says `distill` is read from the folder its recipe writes.
    """
    from kdaudit.cli.deciding import decide_and_exit

    decide_and_exit(audit, out, policy, retime=retime, as_json=as_json, train=False)
