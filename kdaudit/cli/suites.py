"""``kdaudit suites``: what can be measured, and each suite's manual."""

from typing import Annotated

import typer

from kdaudit.cli.say import say

app = typer.Typer(help="List the installed suites, or show one's manual.")


@app.callback(invoke_without_command=True)
def suites(context: typer.Context) -> None:
    """List the installed suites and their codes."""
    if context.invoked_subcommand is not None:
        return
    from kdaudit import registry

    for name in sorted(registry.available(registry.GROUPS.suites)):
        suite = registry.load(registry.GROUPS.suites, name)
        say(name)
        for endpoint in suite.codes:
            where = f"  per {' and '.join(endpoint.keys)}" if endpoint.keys else ""
            say(f"  {endpoint.code}  {endpoint.metric} ({endpoint.better} is better){where}")


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name of the suite.")]) -> None:
    """Print a suite's manual: question, findings, options, source, limits."""
    import inspect

    from kdaudit import registry

    module = inspect.getmodule(registry.load(registry.GROUPS.suites, name))
    manual = inspect.cleandoc((module and module.__doc__) or "This suite has no manual.")
    say(manual.replace("``", "`"))
