"""The first run: Newt learns a small game, and is filmed before and after."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

from newt_bench.errors import InputError
from newt_bench.filming import film
from newt_bench.training import TrainingRun, load_recipe, resume_training, train

__all__ = ["Quickstart", "run_quickstart"]

_AGENT, _RECIPE = "newt", "quickstart"


@dataclasses.dataclass(frozen=True)
class Quickstart:
    """What the quickstart made.

    Attributes:
        run: The training run.
        before: Video of an agent that has learned nothing: random actions.
        after: Video of the trained one, on the same start.
    """

    run: TrainingRun
    before: Path
    after: Path


def run_quickstart(folder: Path, *, seed: int = 0, steps: int | None = None) -> Quickstart:
    """Trains Newt by the recipe `quickstart`, and films it.

    Interrupted, it goes on where it was when it is called again; finished, it begins anew.

    Args:
        folder: Where to write.
        seed: Seed of the run.
        steps: Environment steps; None for those of the recipe.

    Raises:
        InputError: The folder holds something else.
    """
    out = folder / "run"
    if (out / "results.json").exists():
        shutil.rmtree(out)
    elif folder.exists() and not (out / "run.json").exists() and any(folder.iterdir()):
        raise InputError(f"{folder} holds something else; name another folder with --out")
    if (out / "run.json").exists():
        run = resume_training(out)
    else:
        settings: dict[str, Any] = {} if steps is None else {"steps": steps}
        run = train(_AGENT, out=out, recipe=_RECIPE, seed=seed, **settings)
    task = load_recipe(_AGENT, _RECIPE).tasks[0]
    before, after = folder / "before.mp4", folder / "after.mp4"
    film(before, task, "random", seed=seed)
    film(after, task, _AGENT, options={"checkpoint": str(run.checkpoint)}, seed=seed)
    return Quickstart(run, before, after)
