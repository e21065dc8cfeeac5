"""Training: any agent on any tasks, with recipes, logs, evaluations, and checkpoints that a run goes on from."""

from newt_bench.training.curves import Curve, load_curve, plot_curves
from newt_bench.training.recipes import Recipe, load_recipe, recipes
from newt_bench.training.run_folder import agent_folder
from newt_bench.training.running import TrainingRun, resume_training, train
from newt_bench.training.settings import TrainingSettings

__all__ = [
    "Curve",
    "Recipe",
    "TrainingRun",
    "TrainingSettings",
    "agent_folder",
    "load_curve",
    "load_recipe",
    "plot_curves",
    "recipes",
    "resume_training",
    "train",
]
