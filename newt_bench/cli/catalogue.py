"""`newt-bench tasks` and `newt-bench show`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from newt_bench.catalogue import Anchor, Task, TaskList, get_task, load_domain, tasks
from newt_bench.cli.options import JsonOption, SplitOption, console, print_json


def list_tasks(
    domain: Annotated[list[str] | None, typer.Option(help="Only this domain; repeat for several.")] = None,
    split: SplitOption = None,
    tag: Annotated[list[str] | None, typer.Option(help="Only tasks with this tag; repeat for all of several.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the tasks of the catalogue."""
    found = tasks(domain=domain or None, split=split, tags=tag or None)  # type: ignore[arg-type]
    if as_json:
        print_json([task.to_dict() for task in found])
    else:
        console().print(_table(found))
        typer.echo(f"{len(found)} tasks", err=True)


def show_task(
    task: Annotated[str, typer.Argument(help="Task name, such as walker-run.")],
    as_json: JsonOption = False,
) -> None:
    """Show everything about one task."""
    record = get_task(task)
    if as_json:
        print_json([record.to_dict()])
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold")
    grid.add_column(overflow="fold")
    for label, value in _facts(record).items():
        grid.add_row(label, Text(value))
    console().print(grid)


def _table(found: TaskList) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for heading in ("task", "domain", "split"):
        table.add_column(heading, no_wrap=True)
    for heading in ("obs", "act", "steps"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("instruction", no_wrap=True, overflow="ellipsis", ratio=1)
    for task in found:
        split = f"{task.split}, lite" if task.lite else task.split
        sizes = (str(task.obs_dim), str(task.action_dim), str(task.max_episode_steps))
        table.add_row(task.name, task.domain, split, *sizes, task.instruction)
    return table


def _facts(task: Task) -> dict[str, str]:
    domain = load_domain(task.domain)
    score = task.score
    facts = {
        "id": task.id,
        "domain": f'{task.domain} ({domain.title}; pip install "newt-bench[{domain.extra}]")',
        "split": task.split,
        "instruction": task.instruction,
        "paraphrases": "\n".join(task.paraphrases),
        "embodiment": task.embodiment,
        "simulator id": task.simulator_id,
        "settings": ", ".join(f"{key}={value}" for key, value in task.settings.items()),
        "observation": f"{task.obs_dim} numbers",
        "action": f"{task.action_dim} numbers in [-1, 1], each played for {task.action_repeat} simulator steps",
        "horizon": f"{task.max_episode_steps} steps",
        "discount": f"{task.discount:g}",
        "score": "success at the last step"
        if score.kind == "final_success"
        else f"return from {score.low:g} to {score.high:g}" + (", clipped" if score.clip else ""),
        "downloads": f"{', '.join(task.assets)} (newt-bench's own tests play this task with stand-ins for them)"
        if task.assets
        else "",
        "tags": ", ".join(task.tags),
        "lite": task.lite or "",
        "random policy": _anchor(task.random_return),
        "scripted expert": _anchor(task.scripted_return),
    }
    if task.provenance == "newt-bench":
        facts["provenance"] = "defined by newt-bench; scores must not be compared with published ones"
    return {label: value for label, value in facts.items() if value}


def _anchor(anchor: Anchor | None) -> str:
    return f"return {anchor.mean:.3f} +- {anchor.sem:.3f} ({anchor.episodes} episodes)" if anchor else ""
