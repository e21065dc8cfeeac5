"""`newt-bench checkpoints`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from newt_bench.cli.options import select_tasks
from newt_bench.extras import import_optional

app = typer.Typer(help="Checkpoints of agents.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Checkpoints of agents."""


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A .pt file of the published Newt release.")],
    out: Annotated[Path, typer.Option(help="Folder for the checkpoint.")],
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Tasks of the file, in its order, separated by commas. Default: the core split, for multitask files."
        ),
    ] = None,
    steps: Annotated[int, typer.Option(help="Environment steps behind it.")] = 100_000_000,
) -> None:
    """Convert a published checkpoint, without running what it may hold; list everything that does not fit."""
    module = "newt_bench.agents.newt.checkpoint_import"
    home = import_optional(
        module, extra="agents", packages=("torch", "safetensors"), wanted_by="Importing a checkpoint"
    )
    home.import_checkpoint(file, out, select_tasks(tasks, None if tasks else "core"), steps)
    typer.echo(f"wrote {out}; evaluate it with: newt-bench evaluate --agent newt --checkpoint {out} --tasks ...")
