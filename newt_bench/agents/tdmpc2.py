"""TD-MPC2 (arXiv 2310.16828): the world model that Newt extends, without what Newt adds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from newt_bench.agents.base import Agent
from newt_bench.agents.newt.agent import NewtAgent
from newt_bench.agents.newt.config import NetworkSize, NewtConfig
from newt_bench.replay import Episode

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SIZES", "TDMPC2Agent", "TDMPC2Config"]

SIZES: Mapping[str, NetworkSize] = {
    "1M": NetworkSize(256, 384, 128, 2, 2),
    "5M": NetworkSize(256, 512, 512, 2, 5),
    "19M": NetworkSize(1024, 1024, 768, 3, 5),
    "48M": NetworkSize(1792, 1792, 768, 4, 5),
    "317M": NetworkSize(4096, 4096, 1376, 5, 8),
}


@dataclasses.dataclass(frozen=True)
class TDMPC2Config(NewtConfig):
    """Hyper-parameters: those of Newt, with the defaults of TD-MPC2.

    They differ in smaller batches and more of them, seed steps that are learned from at once when they are over,
    losses that are means over steps, dropout in the critics, a policy that is neither supervised by actions nor a
    constraint on planning, and in the networks' sizes, of which None means 5M. `conditioning` None means `none` for one
    task and `one-hot`, a learned vector per task and network, for several.
    """

    SIZES: ClassVar[Mapping[str, NetworkSize]] = SIZES

    batch_size: int = 256
    time_weights: Literal["sum", "mean"] = "mean"
    bc_coef: float = 0.0
    q_dropout: float = 0.01
    pretrain_updates: int = 0
    replay_capacity: int = 1_000_000
    updates_per_step: float = 1.0
    seed_steps: int = 1_000
    learn_seed_steps: bool = True
    constrained_planning: bool | None = False

    def resolved(self, num_tasks: int) -> Self:
        """See `NewtConfig.resolved`."""
        conditioning = self.conditioning or ("one-hot" if num_tasks > 1 else "none")
        return dataclasses.replace(super().resolved(num_tasks), conditioning=conditioning)

    def default_size(self, *, several: bool) -> str:
        """See `NewtConfig.default_size`."""
        return "5M"


class TDMPC2Agent(NewtAgent):
    """TD-MPC2, as a configuration of `NewtAgent`: same code, same arguments.

    It knows no demonstrations. States do not terminate on this benchmark, hence no head that predicts termination.

    Args: see `NewtAgent`, and `TDMPC2Config` for the options.
    """

    FORMAT: ClassVar[str] = "newt-bench/tdmpc2-1"
    CONFIG: ClassVar[type[NewtConfig]] = TDMPC2Config

    def add_demonstrations(self, demonstrations: Iterable[Episode]) -> None:
        """Refuses: TD-MPC2 learns from its own experience alone.

        Raises:
            AgentError: Always.
        """
        Agent.add_demonstrations(self, demonstrations)
