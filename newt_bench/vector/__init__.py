"""Many tasks at once on one machine."""

from newt_bench.vector.env import TaskVectorEnv
from newt_bench.vector.layout import episode_seed

__all__ = ["TaskVectorEnv", "episode_seed", "make_vec"]

#: Makes a vector environment; see `TaskVectorEnv` for the arguments.
make_vec = TaskVectorEnv
