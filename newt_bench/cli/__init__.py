"""The command `newt-bench`. Commands parse, call the library and print; they hold no logic."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from newt_bench.cli import (
    assets,
    baselines,
    catalogue,
    checkpoints,
    curves,
    demos,
    doctor,
    evaluate,
    gallery,
    leaderboard,
    new,
    play,
    quickstart,
    render,
    results,
    site,
    submit,
    train,
)
from newt_bench.errors import InputError, NewtBenchError
from newt_bench.version import __version__

__all__ = ["app", "main"]

app = typer.Typer(
    name="newt-bench",
    help="A benchmark suite for massively multitask reinforcement learning in continuous control.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("tasks")(catalogue.list_tasks)
app.command("show")(catalogue.show_task)
app.command("train")(train.train_agent)
app.command("curves")(curves.show_curves)
app.command("evaluate")(evaluate.evaluate_agent)
app.command("results")(results.show_results)
app.command("render")(render.render_task)
app.command("gallery")(gallery.draw_gallery)
app.command("play")(play.play_task)
app.command("submit")(submit.submit_results)
app.command("reproduce")(leaderboard.reproduce_row)
app.command("doctor")(doctor.examine_machine)
app.command("quickstart")(quickstart.first_run)
app.add_typer(assets.app, name="assets")
app.add_typer(baselines.app, name="baselines")
app.add_typer(demos.app, name="demos")
app.add_typer(checkpoints.app, name="checkpoints")
leaderboard.app.command("build")(site.build_leaderboard)
app.add_typer(leaderboard.app, name="leaderboard")
app.add_typer(new.app, name="new")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"newt-bench {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", is_eager=True, callback=_print_version
    ),
) -> None:
    """A benchmark suite for massively multitask reinforcement learning in continuous control."""


def main() -> NoReturn:
    """Runs the command line. Exit code 2 for input that cannot be used, 1 for other failures."""
    try:
        app()
    except NewtBenchError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(0)
