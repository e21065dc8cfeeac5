"""Runs agents on tasks and records every episode."""

from newt_bench.evaluation.playing import EVALUATION_SEEDS, evaluation_seed, roll_out
from newt_bench.evaluation.provenance import describe_provenance
from newt_bench.evaluation.running import evaluate

__all__ = ["EVALUATION_SEEDS", "describe_provenance", "evaluate", "evaluation_seed", "roll_out"]
