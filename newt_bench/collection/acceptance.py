"""Which episodes become demonstrations.

The rule of the published demonstrations: the return exceeds 75% of the median of the policy's returns (125% of it
where that is negative), and the task is solved where it defines success. Here success is that of the last step, which
is what the score counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from newt_bench.demos import Episode

__all__ = ["RULE", "is_accepted", "return_threshold"]

RULE = (
    "return >= 0.75 x median of the first episodes' returns (1.25 x if negative); success at the last step if defined"
)


def return_threshold(returns: Sequence[float]) -> float:
    """The least return that is accepted, from returns of the policy."""
    median = float(np.median(returns))
    return (0.75 if median >= 0 else 1.25) * median


def is_accepted(episode: Episode, threshold: float) -> bool:
    """Whether an episode becomes a demonstration; `success` is -1 where the task defines none."""
    return episode.episode_return >= threshold and episode.success[-1] != 0
