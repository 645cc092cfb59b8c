"""The command line: parse, call, print, exit."""

import gc
import os
import sys
from typing import Annotated

import typer

from kdaudit.cli import (
    audit,
    canaries,
    card,
    distill,
    drill,
    export_model,
    gate,
    init,
    label,
    leakage,
    lock,
    pin,
    power,
    probes,
    run,
    schema,
    search,
    suites,
    targets,
)
from kdaudit.cli.say import say
from kdaudit.errors import ExitCode, KdauditError

INTERRUPTED = 130  # what a shell says of a command ended by Ctrl-C

app = typer.Typer(
    name="kdaudit",
    help="Distil a student, audit it against its teacher, decide whether it may ship.\n\n"
    "Exit codes: 0 met · 1 not met · 2 usage or bad input · 3 inconclusive, not evaluable or no "
    "check declared · 4 evidence damaged · 70 a suite crashed or internal error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(init.init)
app.command()(run.run)
app.command()(audit.audit)
app.command()(distill.distill)
app.command("export-model")(export_model.export_model)
app.command()(search.search)
app.command()(targets.targets)
app.command()(label.label)
app.command()(lock.lock)
app.command()(power.power)
app.command()(gate.gate)
app.command()(drill.drill)
app.command()(pin.pin)
app.command()(probes.probes)
app.command()(canaries.canaries)
app.command()(leakage.leakage)
app.command()(card.card)
app.command()(schema.schema)
app.add_typer(suites.app, name="suites")


def _version(asked: bool | None) -> None:  # noqa: FBT001  # typer's signature
    if asked:
        from importlib.metadata import version

        say(f"kdaudit {version('kdaudit')}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = None,
) -> None:
    del version


def main() -> None:
    """Run a command; problems the user can mend are one line, never a traceback."""
    try:
        app()
    except KdauditError as error:
        say(f"kdaudit: {error}", error=True)
        sys.exit(int(error.exit_code))
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            say("kdaudit: interrupted; the same command resumes where it stopped", error=True)
        raise
    except Exception as error:
        if os.environ.get("KDAUDIT_DEBUG"):
            raise
        say(
            f"kdaudit: internal error, {type(error).__name__}: {error}. KDAUDIT_DEBUG=1 shows "
            "where; please report it",
            error=True,
        )
        sys.exit(int(ExitCode.CRASHED))
    finally:
        # The process ends: looking for garbage once more, in millions of objects, frees nobody.
        gc.freeze()
