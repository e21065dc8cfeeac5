"""`newt-bench demos`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from newt_bench import catalogue
from newt_bench.catalogue import TaskList, get_task
from newt_bench.cli.options import (
    JsonOption,
    SplitOption,
    console,
    parse_options,
    print_json,
    search_current_directory,
    select_tasks,
)
from newt_bench.collection import SCRIPTED, collect, replay, show
from newt_bench.demos import DemoFile, Demos, TaskDemos, download_demos, load_demos, validate
from newt_bench.demos.exporting import export
from newt_bench.demos.hub import cache_folder, find_source
from newt_bench.demos.importing import import_published_folder
from newt_bench.demos.manifest import MANIFEST_NAME
from newt_bench.demos.publishing import describe, pin, push
from newt_bench.errors import InputError

app = typer.Typer(help="Demonstrations: download, check, make, convert and publish them.", no_args_is_help=True)

TasksOption = Annotated[str | None, typer.Option("--tasks", help="Task names, separated by commas.")]
RepositoryOption = Annotated[
    str | None, typer.Option("--repository", help="Hub repository owner/name[@revision]. Default: the project's.")
]
EncodingOption = Annotated[str, typer.Option(help="How frames are encoded: webp, png, or jpeg, which loses a little.")]
RootOption = Annotated[Path | None, typer.Option("--root", help="Folder of files. Default: the cache and the Hub.")]


@app.command("list")
def list_demos(
    tasks: TasksOption = None,
    split: SplitOption = None,
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """List where the demonstrations of tasks come from, their size, and whether they are in the cache."""
    chosen = catalogue.tasks() if tasks is None and split is None else select_tasks(tasks, split)
    source = find_source(repository)
    rows = []
    for task in chosen:
        entry, path = source.entry(task), source.path(task)
        there = path is not None and path.is_file()
        origin = source.manifest.repository if entry else str(source.published.repository if source.published else "-")
        size = entry.size if entry else path.stat().st_size if there and path is not None else None
        rows.append(
            {
                "task": task.name,
                "source": origin,
                "episodes": entry.episodes if entry else None,
                "bytes": size,
                "frames_bytes": entry.frames_size if entry else None,
                "cached": there,
            }
        )
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("task", "source", "episodes", "MB", "frames MB", "cached"):
        table.add_column(heading, no_wrap=True)
    for row in rows:
        table.add_row(
            str(row["task"]),
            str(row["source"]),
            str(row["episodes"] or "?"),
            _megabytes(row["bytes"], "?"),
            _megabytes(row["frames_bytes"], "-" if source.entry(get_task(str(row["task"]))) else "?"),
            "yes" if row["cached"] else "no",
        )
    console().print(table)
    if (
        source.published
        and not source.published.pinned
        and any(source.hub(task) == source.published for task in chosen)
    ):
        typer.echo(
            f"{source.published.repository} is not pinned: a file is of the commit that '{source.published.revision}' "
            "stood for when it was downloaded, and names it (newt-bench demos info)",
            err=True,
        )
    typer.echo(f"{sum(bool(row['cached']) for row in rows)} of {len(rows)} in {cache_folder()}", err=True)


def _megabytes(size: object, otherwise: str) -> str:
    return f"{size / 1e6:.2f}" if isinstance(size, int) else otherwise


@app.command("download")
def download(
    tasks: TasksOption = None,
    split: SplitOption = None,
    repository: RepositoryOption = None,
    frames: Annotated[bool, typer.Option("--frames", help="Also images of the observations: large.")] = False,
) -> None:
    """Download what is not in the cache yet, check it, and print where it is."""
    for path in download_demos(select_tasks(tasks, split), repository=repository, frames=frames):
        typer.echo(str(path))


@app.command("validate")
def validate_files(
    path: Annotated[Path, typer.Argument(help="A file or a folder of files.")],
    replayed: Annotated[
        bool, typer.Option("--replay", help="Also play the first episode of each again, and compare rewards.")
    ] = False,
) -> None:
    """Check files, numbers included. Exit code 1 if one of them is wrong."""
    wrong = 0
    for file, problems in validate(path).items():
        for problem in problems:
            typer.echo(f"{file}: {problem}")
        if replayed and not problems:
            with DemoFile(file) as opened:
                error = replay(TaskDemos(opened)).reward_error
            typer.echo(f"{file}: rewards differ by at most {error:.2g} when played again")
        wrong += bool(problems)
    typer.echo("all files are valid" if not wrong else f"{wrong} files are not valid", err=bool(wrong))
    raise typer.Exit(1 if wrong else 0)


@app.command("info")
def show_info(
    path: Annotated[Path, typer.Argument(help="A file or a folder of files.")], as_json: JsonOption = False
) -> None:
    """Show what files hold and where they come from."""
    demos = load_demos(root=path) if path.is_dir() else Demos([TaskDemos(DemoFile(path))])
    records = []
    for item in demos.values():
        info = item.info
        with DemoFile(item.path) as file:
            entry = describe(file)
        records.append(
            {
                "task": info.task,
                "episodes": entry.episodes,
                "steps": entry.steps,
                "mean_return": entry.mean_return,
                "mean_score": entry.mean_score,
                "bytes": entry.size,
                "sha256": entry.sha256,
                "policy": dict(info.policy),
                "versions": dict(info.versions),
                "licence": info.licence,
            }
        )
    if as_json:
        print_json(records)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("task", "episodes", "steps", "return", "score", "policy", "licence"):
        table.add_column(heading, no_wrap=True)
    for record in records:
        policy, score = record["policy"], record["mean_score"]
        table.add_row(
            str(record["task"]),
            str(record["episodes"]),
            str(record["steps"]),
            f"{record['mean_return']:.2f}",
            "?" if score is None else f"{score:.3f}",
            str(policy.get("name") if isinstance(policy, dict) else "?"),
            str(record["licence"]),
        )
    console().print(table)
    typer.echo(repr(demos), err=True)


@app.command("play")
def play(
    task: Annotated[str, typer.Argument(help="Task name, such as walker-run.")],
    episode: Annotated[int, typer.Option(help="Which episode, from 0.")] = 0,
    root: RootOption = None,
    out: Annotated[Path | None, typer.Option(help="A .mp4 or .gif video. Default: a window.")] = None,
    size: Annotated[int, typer.Option(help="Height and width in pixels.")] = 224,
) -> None:
    """Play a demonstration again, in a window or into a video."""
    show(load_demos(task, root=root)[get_task(task).name], episode, out=out, size=size)
    if out is not None:
        typer.echo(f"wrote {out}")


@app.command("collect")
def collect_demos(
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    agent: Annotated[str | None, typer.Option(help="Installed agent, or import path package.module:Class.")] = None,
    scripted: Annotated[bool, typer.Option("--scripted", help="Experts written by hand, where there are any.")] = False,
    tasks: TasksOption = None,
    split: SplitOption = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All tasks; with --scripted, all that have an expert.")
    ] = False,
    episodes: Annotated[int, typer.Option(help="Accepted episodes wanted per task.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the agent and of the resets.")] = 0,
    option: Annotated[list[str] | None, typer.Option(help="key=value to build the agent with; repeat.")] = None,
    env_option: Annotated[list[str] | None, typer.Option(help="key=value to make environments with; repeat.")] = None,
    checkpoint: Annotated[str | None, typer.Option(help="What to record as the agent's checkpoint.")] = None,
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep every episode, good or bad.")] = False,
    attempts: Annotated[int | None, typer.Option(help="Episodes to play per task at most.")] = None,
    workers: Annotated[int, typer.Option(help="Processes, each with one task at a time.")] = 1,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that were collected otherwise.")
    ] = False,
    licence: Annotated[str, typer.Option(help="SPDX identifier to record.")] = "MIT",
    compression: Annotated[str, typer.Option(help="none, lzf or gzip.")] = "none",
    frames: Annotated[
        int | None, typer.Option(help="Also draw the observations: height and width in pixels, such as 224.")
    ] = None,
    encoding: EncodingOption = "webp",
) -> None:
    """Let an agent play and keep the good episodes. Repeat the command to continue an interrupted one."""
    search_current_directory()
    if scripted == (agent is not None):
        raise InputError("Say who plays: either --agent NAME or --scripted")
    results = collect(
        _select(tasks, split, everything, scripted),
        out,
        SCRIPTED if scripted else str(agent),
        episodes,
        seed=seed,
        options=parse_options(option or []),
        env_options=parse_options(env_option or []),
        checkpoint=checkpoint,
        accept=not keep_all,
        max_attempts=attempts,
        workers=workers,
        overwrite=overwrite,
        licence=licence,
        compression=compression,  # type: ignore[arg-type] # refused by the writer if unknown
        frames=frames,
        encoding=encoding,  # type: ignore[arg-type] # refused if unknown
    )
    for result in results:
        typer.echo(
            f"{result.task}: {result.episodes} episodes of {result.attempts or '-'} played, "
            f"mean return {result.mean_return:.2f} ({result.status})"
        )
    lacking = [result.task for result in results if result.status in ("short", "none")]
    if lacking:
        typer.echo(f"fewer episodes than asked for: {', '.join(lacking)}", err=True)
    raise typer.Exit(1 if any(result.status == "none" for result in results) else 0)


def _select(names: str | None, split: str | None, everything: bool, scripted: bool) -> TaskList:
    if not everything:
        return select_tasks(names, split)
    if names is not None or split is not None:
        raise InputError("--all goes without --tasks and --split")
    if not scripted:
        return catalogue.tasks()
    from newt_bench.agents.scripted import scripted_tasks

    return TaskList(scripted_tasks())


@app.command("import")
def import_files(
    source: Annotated[Path, typer.Argument(help="A published file {task}.pt, or a folder of such files.")],
    out: Annotated[Path, typer.Option(help="Folder for the files.")],
    compression: Annotated[str, typer.Option(help="none, lzf or gzip.")] = "none",
    frames: Annotated[
        bool, typer.Option("--frames", help="Also convert the images of frames {task}-0.png, ... beside them.")
    ] = False,
    encoding: EncodingOption = "webp",
) -> None:
    """Convert published files. No code that they hold is run."""
    for path in import_published_folder(source, out, compression, encoding if frames else None):  # type: ignore[arg-type] # refused if unknown
        typer.echo(f"wrote {path}")


@app.command("export")
def export_files(
    out: Annotated[Path, typer.Option(help="Folder of the other library's data sets.")],
    tasks: TasksOption = None,
    split: SplitOption = None,
    root: RootOption = None,
    kind: Annotated[str, typer.Option("--format", help="minari or lerobot.")] = "minari",
) -> None:
    """Write demonstrations in the format of another library."""
    chosen = None if root is not None and tasks is None and split is None else select_tasks(tasks, split)
    for item in load_demos(chosen, root=root).values():
        typer.echo(export(item, out, kind))  # type: ignore[arg-type] # refused if unknown


@app.command("push")
def push_files(
    source: Annotated[Path, typer.Argument(help="A file or a folder of files.")],
    repository: Annotated[str, typer.Argument(help="Hub repository owner/name; made if it is not there.")],
    private: Annotated[bool, typer.Option("--private", help="Make it private.")] = False,
    message: Annotated[str | None, typer.Option(help="Message of the commit.")] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Also write the manifest, pinned to the new commit, to this file or folder.")
    ] = None,
) -> None:
    """Upload files with a data set card and a manifest, in one commit. Log in first: hf auth login."""
    pushed = push(source, repository, private=private, message=message)
    if manifest is not None:
        target = manifest / MANIFEST_NAME if manifest.is_dir() else manifest
        target.write_text(pushed.manifest.to_toml(), encoding="utf-8")
        typer.echo(f"wrote {target}")
    typer.echo(pushed.url)


@app.command("pin")
def pin_published_files(
    manifest: Annotated[Path, typer.Argument(help="The manifest to change.")] = Path("demos") / MANIFEST_NAME,
    revision: Annotated[str, typer.Option(help="Branch, tag or commit of the published files.")] = "main",
) -> None:
    """Pin the published files that a manifest names to a commit. For maintainers, in a checkout."""
    hub = pin(manifest, revision)
    typer.echo(f"{manifest}: {hub.repository} is pinned to {hub.revision}")
