"""PPO, proximal policy optimisation (arXiv 1707.06347), for one task or many."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from newt_bench.agents.base import Mode, Observation
from newt_bench.agents.shared.agent_files import TrainingState
from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.learned import LearnedAgent, LearnedSettings
from newt_bench.agents.shared.optimizers import descend
from newt_bench.agents.shared.perceptrons import perceptron
from newt_bench.agents.shared.statistics import RunningStatistics
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM
from newt_bench.errors import AgentError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["PPOAgent", "PPOSettings", "Rollout", "advantages"]

_HALF_LOG_TWO_PI = 0.5 * math.log(2 * math.pi)


@dataclasses.dataclass(frozen=True)
class PPOSettings(LearnedSettings):
    """Hyper-parameters of PPO. Defaults for one task are those that are usual for continuous control.

    Attributes:
        hidden: Widths of the hidden layers of policy and value. None means 64, 64 for one task and 512, 512, 512 for
            several.
        norm: Whether hidden layers have LayerNorm. None means for several tasks only.
        rollout_steps: Steps of every slot between updates. None means 2,048 for one task and 256 for several.
        minibatches: Parts that a rollout is learned from in.
        epochs: Times that a rollout is learned from. None means 10 for one task and 5 for several.
        learning_rate: Adam's at the start.
        anneal_steps: Environment steps, summed over all slots, over which the learning rate falls linearly to 0: best
            the length of the run. 0 keeps it constant.
        gae_lambda: Weight of longer advantage estimates, see `advantages`.
        clip: Reach of the probability ratio around 1, and of a value around what it was.
        clip_values: Whether steps of the value are clipped.
        entropy_coef: Weight of the entropy. None means 0 for one task and 0.001 for several.
        value_coef: Weight of the value's loss.
        max_grad_norm: Clipping of the global gradient norm.
        obs_clip: Reach of scaled observations, in standard deviations.
        scale_rewards: Whether rewards are divided by the standard deviation of each task's running returns.
        reward_clip: Reach of scaled rewards.
    """

    hidden: tuple[int, ...] | None = None
    norm: bool | None = None
    rollout_steps: int | None = None
    minibatches: int = 32
    epochs: int | None = None
    learning_rate: float = 3e-4
    anneal_steps: int = 0
    gae_lambda: float = 0.95
    clip: float = 0.2
    clip_values: bool = True
    entropy_coef: float | None = None
    value_coef: float = 0.5
    max_grad_norm: float = 0.5
    obs_clip: float = 10.0
    scale_rewards: bool = True
    reward_clip: float = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.at_least(1, "rollout_steps", "minibatches", "epochs")
        self.at_least(0, "anneal_steps", "gae_lambda", "clip", "entropy_coef")

    def resolved(self, num_tasks: int) -> Self:
        """See `Settings.resolved`."""
        several = num_tasks > 1
        return dataclasses.replace(
            super().resolved(num_tasks),
            hidden=self.hidden or ((512, 512, 512) if several else (64, 64)),
            norm=several if self.norm is None else self.norm,
            rollout_steps=self.rollout_steps or (256 if several else 2048),
            epochs=self.epochs or (5 if several else 10),
            entropy_coef=(0.001 if several else 0.0) if self.entropy_coef is None else self.entropy_coef,
        )


def advantages(
    reward: Tensor, value: Tensor, next_value: Tensor, cut: Tensor, discount: Tensor, gae_lambda: float
) -> Tensor:
    """Generalised advantage estimates (arXiv 1506.02438), equation 16.

    With delta_t = r_t + gamma V(o'_t) - V(o_t), the advantage is the sum of (gamma lambda)^i delta_{t+i} up to where
    the episode is cut. Horizons are fixed and states do not terminate: the value of an episode's final observation
    counts.

    Args:
        reward: Rewards r_t, shape (steps, slots).
        value: Values of the observations before the steps, shape (steps, slots).
        next_value: Values of the observations after them, in the end of an episode the final one: (steps, slots).
        cut: Whether the next row belongs to another episode, shape (steps, slots).
        discount: gamma of each step's task, shape (steps, slots).
        gae_lambda: lambda.

    Returns:
        Shape (steps, slots).
    """
    delta = reward + discount * next_value - value
    carry = discount * gae_lambda * ~cut
    result = torch.empty_like(delta)
    following = torch.zeros_like(delta[0])
    for t in reversed(range(len(delta))):
        following = delta[t] + carry[t] * following
        result[t] = following
    return result


class Rollout:
    """What happened in every slot since the last update; rows fill up step by step.

    Args:
        steps: Rows.
        slots: Slots.

    Attributes:
        filled: Rows that are filled.
        running: Discounted sum of the rewards of each slot's episode so far, shape (slots,).
    """

    def __init__(self, steps: int, slots: int) -> None:
        def rows(*width: int, kind: Any = np.float32) -> NDArray[Any]:
            return np.zeros((steps, slots, *width), kind)

        self.arrays: dict[str, NDArray[Any]] = {
            "obs": rows(PADDED_OBS_DIM),
            "next_obs": rows(PADDED_OBS_DIM),
            "action": rows(PADDED_ACTION_DIM),
            "log_prob": rows(),
            "reward": rows(),
            "running": rows(),
            "task": rows(kind=np.int64),
            "cut": rows(kind=np.bool_),
        }
        self.filled = 0
        self.running = np.zeros(slots)

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.running)

    @property
    def full(self) -> bool:
        """Whether it is time to learn."""
        return self.filled == len(self.arrays["reward"])

    def begin(self, first: NDArray[np.bool_]) -> None:
        """Tells in which slots episodes begin, which cuts those that did not end."""
        self.running[first] = 0
        if self.filled:
            self.arrays["cut"][self.filled - 1] |= first

    def add(self, discount: NDArray[np.float64], **row: NDArray[Any]) -> None:
        """Fills the next row.

        Args:
            discount: Discount of each slot's task, shape (slots,).
            row: An entry per slot of everything but `running`.
        """
        self.running = row["reward"] + discount * self.running
        for name, values in {**row, "running": self.running}.items():
            self.arrays[name][self.filled] = values
        self.running[row["cut"]] = 0
        self.filled += 1

    def state(self) -> dict[str, NDArray[Any]]:
        """What is filled, as arrays by name."""
        filled = {name: rows[: self.filled] for name, rows in self.arrays.items()}
        return filled | {"now": self.running}

    def load_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Goes on from what `state` told."""
        self.running, self.filled = state["now"].copy(), len(state["reward"])
        for name, rows in self.arrays.items():
            rows[: self.filled] = state[name]


class PPONetworks(nn.Module):
    """Policy and value: two networks that share nothing but what they are told of the task.

    Args:
        settings: Hyper-parameters, resolved.
        conditioning: Tells the task.
        generator: Source of the initial weights.
    """

    task_rows: ClassVar[tuple[str, ...]] = ("log_std",)

    def __init__(self, settings: PPOSettings, conditioning: ConditioningBlock, generator: torch.Generator) -> None:
        super().__init__()
        tasks = len(conditioning.table)
        self.settings, self.conditioning = settings, conditioning
        self.observations = RunningStatistics(tasks)
        self.returns = RunningStatistics(tasks, 1, epsilon=1e-4)

        def network(outputs: int, last_gain: float) -> nn.Sequential:
            return perceptron(
                PADDED_OBS_DIM + conditioning.width,
                settings.hidden or (),
                outputs,
                generator,
                activation="tanh",
                norm=bool(settings.norm),
                orthogonal_gains=(math.sqrt(2), last_gain),
            )

        self.policy, self.value_head = network(PADDED_ACTION_DIM, 0.01), network(1, 1.0)
        self.log_std = nn.Parameter(torch.zeros(tasks, PADDED_ACTION_DIM))

    def inputs(self, obs: Tensor, task: Tensor) -> Tensor:
        """What both networks see of observations (batch, 128): shape (batch, 128 + conditioning's width)."""
        scaled = self.observations.normalize(obs, task, self.settings.obs_clip)
        return torch.cat((scaled, self.conditioning(task)), -1)

    def value(self, obs: Tensor, task: Tensor) -> Tensor:
        """Values of observations (batch, 128), in units of scaled rewards: shape (batch,)."""
        value: Tensor = self.value_head(self.inputs(obs, task)).squeeze(-1)
        return value

    def log_prob(self, mean: Tensor, task: Tensor, action: Tensor, mask: Tensor) -> Tensor:
        """Log-density of actions over the entries that their tasks have: shape (batch,)."""
        log_std = self.log_std[task]
        deviation = (action - mean) / log_std.exp()
        return ((-0.5 * deviation.square() - log_std - _HALF_LOG_TWO_PI) * mask).sum(-1)

    def entropy(self, task: Tensor, mask: Tensor) -> Tensor:
        """Entropy of the policy over the entries that tasks have: shape (batch,)."""
        return ((self.log_std[task] + 0.5 + _HALF_LOG_TWO_PI) * mask).sum(-1)


class PPOAgent(LearnedAgent[PPOSettings, PPONetworks]):
    """Proximal policy optimisation: several passes over what the policy has just done, with steps kept small.

    The policy is a Gaussian whose draws are clipped to [-1, 1] when played; its standard deviations are learned
    numbers, one row per task. Advantages are standardised over each task's part of a rollout, lest tasks with large
    returns own the gradient. Statistics of observations and returns are per task and part of the weights; those of
    observations change between rollouts only, so that the policy stays the same within one.

    Args: see `LearnedAgent`, and `PPOSettings` for the options.
    """

    FORMAT: ClassVar[str] = "newt-bench/ppo-1"
    SETTINGS = PPOSettings

    def make_model(self, conditioning: ConditioningBlock, generator: torch.Generator) -> PPONetworks:
        """See `LearnedAgent.make_model`."""
        return PPONetworks(self.config, conditioning, generator)

    def start(self) -> None:
        """See `LearnedAgent.start`."""
        self.optimizers["networks"] = torch.optim.Adam(self.model.parameters(), self.config.learning_rate, eps=1e-5)
        self._rollout: Rollout | None = None
        self._played: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    @torch.no_grad()
    def act(
        self, obs: Observation, task: NDArray[np.int64], first: NDArray[np.bool_], mode: Mode
    ) -> NDArray[np.float32]:
        """See `Agent.act`. In evaluation, it plays the mean."""
        index = self.tensor(task)
        mask = self.masks[index]
        mean = self.model.policy(self.model.inputs(self.tensor(self.states(obs)), index)) * mask
        if mode == "eval":
            return _numpy(mean.clamp(-1, 1))
        if self._rollout is not None and self._rollout.slots == len(task):
            self._rollout.begin(first)
        noise = self.streams["training"].normal(*mean.shape)
        action = mean + self.model.log_std[index].exp() * noise * mask
        self._played = _numpy(action), _numpy(self.model.log_prob(mean, index, action, mask))
        return _numpy(action.clamp(-1, 1))

    def observe(
        self,
        obs: Observation,
        task: NDArray[np.int64],
        action: NDArray[np.float32],
        reward: NDArray[np.float32],
        next_obs: Observation,
        last: NDArray[np.bool_],
    ) -> None:
        """See `Agent.observe`.

        Raises:
            AgentError: The actions are not those that it chose last, in mode `train`.
        """
        if self._played is None or len(self._played[1]) != len(task):
            raise AgentError("PPO learns from its own actions only: call act in mode 'train' before each observe")
        if self._rollout is None or self._rollout.slots != len(task):
            self._rollout = Rollout(self.config.rollout_steps or 1, len(task))
        chosen, log_prob = self._played
        self._rollout.add(
            np.array([self.tasks[index].discount for index in task]),
            obs=self.states(obs),
            next_obs=self.states(next_obs),
            action=chosen,
            log_prob=log_prob,
            reward=reward,
            task=task,
            cut=last,
        )
        self._played = None
        self.steps += len(task)

    def update(self) -> dict[str, float]:
        """See `Agent.update`. It learns whenever every slot has played `rollout_steps` steps."""
        rollout = self._rollout
        if rollout is None or not rollout.full:
            return {}
        data = {name: self.tensor(rows) for name, rows in rollout.arrays.items()}
        done = self.steps - rollout.filled * rollout.slots
        batch = self._batch(data)
        metrics = self._learn(batch, done)
        self.model.observations.update(batch["obs"], batch["task"])
        rollout.filled = 0
        return metrics

    def training_state(self) -> TrainingState:
        """See `LearnedAgent.training_state`."""
        state = super().training_state()
        if self._rollout is not None:
            state.add_arrays("rollout", self._rollout.state())
        return state

    def load_training_state(self, state: TrainingState) -> None:
        """See `LearnedAgent.load_training_state`."""
        super().load_training_state(state)
        if "rollout" in state.tensors:
            arrays = state.arrays("rollout")
            self._rollout = Rollout(self.config.rollout_steps or 1, len(arrays["now"]))
            self._rollout.load_state(arrays)

    @torch.no_grad()
    def _batch(self, data: dict[str, Tensor]) -> dict[str, Tensor]:
        """A rollout's rows one after another, with values, advantages and what values should be."""
        shape = data["reward"].shape
        flat = {name: rows.flatten(0, 1) for name, rows in data.items()}
        task, reward = flat["task"], flat["reward"]
        if self.config.scale_rewards:
            self.model.returns.update(flat["running"].unsqueeze(-1), task)
            reward = (reward / self.model.returns.scale(task).squeeze(-1)).clamp(
                -self.config.reward_clip, self.config.reward_clip
            )
        value, next_value = self.model.value(flat["obs"], task), self.model.value(flat["next_obs"], task)
        discount = self.discounts[task]
        advantage = advantages(
            reward.view(shape),
            value.view(shape),
            next_value.view(shape),
            data["cut"],
            discount.view(shape),
            self.config.gae_lambda,
        ).flatten()
        flat |= {"value": value, "target": advantage + value, "advantage": self._standardized(advantage, task)}
        return flat

    def _standardized(self, advantage: Tensor, task: Tensor) -> Tensor:
        """Advantages of each task made to have mean 0 and standard deviation 1: shape (batch,)."""
        statistics = RunningStatistics(len(self.tasks), 1, epsilon=1e-8).to(self.device)
        statistics.update(advantage.unsqueeze(-1), task)
        return statistics.normalize(advantage.unsqueeze(-1), task, math.inf).squeeze(-1)

    def _learn(self, batch: dict[str, Tensor], done: int) -> dict[str, float]:
        """The update proper, after `done` environment steps. Returns means of the metrics."""
        config, optimizer = self.config, self.optimizers["networks"]
        left = max(0.0, 1 - done / config.anneal_steps) if config.anneal_steps else 1.0
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * left
        told: list[dict[str, Tensor]] = []
        for _ in range(config.epochs or 1):
            order = self.streams["learning"].host.permutation(len(batch["task"]))
            for part in np.array_split(order, min(config.minibatches, len(order))):
                index = self.tensor(part)
                loss, metrics = self._loss({name: rows[index] for name, rows in batch.items()})
                told.append(metrics | {"grad_norm": descend(optimizer, loss, config.max_grad_norm)})
                self.updates += 1
        return {name: torch.stack([row[name] for row in told]).mean().item() for name in told[0]}

    def _loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss of a minibatch, and its parts, detached."""
        config, task, advantage = self.config, batch["task"], batch["advantage"]
        mask = self.masks[task]
        inputs = self.model.inputs(batch["obs"], task)
        log_prob = self.model.log_prob(self.model.policy(inputs), task, batch["action"], mask)
        shift = log_prob - batch["log_prob"]
        ratio = shift.exp()
        clipped = ratio.clamp(1 - config.clip, 1 + config.clip)
        policy = torch.maximum(-advantage * ratio, -advantage * clipped).mean()

        value, target = self.model.value_head(inputs).squeeze(-1), batch["target"]
        error = (value - target).square()
        if config.clip_values:
            near = batch["value"] + (value - batch["value"]).clamp(-config.clip, config.clip)
            error = torch.maximum(error, (near - target).square())
        value_loss = 0.5 * error.mean()
        entropy = self.model.entropy(task, mask).mean()
        loss = policy + config.value_coef * value_loss - (config.entropy_coef or 0.0) * entropy
        parts = {
            "policy": policy,
            "value": value_loss,
            "entropy": entropy,
            "kl": (ratio - 1 - shift).mean(),
            "clipped": (clipped != ratio).float().mean(),
        }
        return loss, {name: part.detach() for name, part in parts.items()}


def _numpy(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.cpu().numpy()
    return array
