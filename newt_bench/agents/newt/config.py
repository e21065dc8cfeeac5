"""Every hyper-parameter of Newt."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from newt_bench.errors import AgentError

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SIZES", "NetworkSize", "NewtConfig"]


@dataclasses.dataclass(frozen=True)
class NetworkSize:
    """Widths and depths of the networks.

    Attributes:
        enc_dim: Width of the encoder's hidden layers.
        mlp_dim: Width of all other hidden layers.
        latent_dim: Width of the latent state, a multiple of `group`.
        num_enc_layers: Layers of the encoder, the output layer among them; two at least are built.
        num_q: Number of critics.
    """

    enc_dim: int
    mlp_dim: int
    latent_dim: int
    num_enc_layers: int
    num_q: int


SIZES: Mapping[str, NetworkSize] = {
    "S": NetworkSize(128, 256, 384, 2, 3),
    "B": NetworkSize(256, 512, 512, 2, 5),
    "L": NetworkSize(1024, 1024, 512, 3, 5),
    "XL": NetworkSize(2048, 2048, 704, 4, 7),
}


@dataclasses.dataclass(frozen=True)
class NewtConfig:
    """Hyper-parameters. Defaults are the published ones (arXiv 2511.19584).

    Attributes:
        size: Size of the networks, one of `SIZES`; None means B for one task and L for several.
        network: Widths and depths, where `size` does not do.
        conditioning: What tells tasks apart: the `language` embedding, a `one-hot` vector, or `none`.
            None means `none` for one task and `language` for several.
        normalize_language: Whether language embeddings are scaled to norm 1; else their norm is about 15.
        paraphrase: Which of a task's four paraphrases it is told in place of the instruction; 0 for the instruction. An
            agent that was trained on the one can be evaluated on the other.
        pixels: Whether image features are seen beside the state.
        group: Entries per group of the latent's SimNorm.
        bins: Number of bins of rewards and values.
        bin_range: Reach of the bins in symlog space, to both sides of 0.
        log_std_min: Least log standard deviation of the policy.
        log_std_max: Greatest.

        batch_size: Subsequences per update.
        horizon: Steps of the model's rollout, in learning and in planning.
        rho: Weight of a step in the losses relative to the step before.
        time_weights: Whether losses are sums over steps with weights that add up to 1 (`sum`), or means over steps
            with weights that begin at 1 (`mean`).
        consistency_coef: Weight of the latent prediction loss.
        reward_coef: Weight of the reward loss.
        value_coef: Weight of the value loss.
        entropy_coef: Weight of the policy's scaled entropy.
        bc_coef: Weight of action supervision in online policy learning; 0 leaves it out. It covers the whole
            batch, demonstrations and online data alike.
        pretrain_bc_coef: Weight of behaviour cloning in pretraining.
        learning_rate: Adam's.
        encoder_lr_scale: The encoder's learning rate relative to that.
        max_grad_norm: Clipping of the global gradient norm, for model and policy each.
        q_dropout: Part of the critics' first hidden entries that is dropped in learning.
        tau: Rate at which target critics and the running scale follow.
        target: `target` takes TD targets from the target critics. `online` takes them from the online ones,
            which the published release does in effect when it compiles (its default).
        warmup_updates: Length of the linear warm-up of the learning rate, where there are demonstrations and
            no checkpoint to start from.
        pretrain_updates: Updates on demonstrations before the online phase.

        replay_capacity: Steps held by each of the two buffers.
        replay_sampling: What is drawn uniformly: `episode` (then a position; the published behaviour),
            `transition`, or `task` (then any position of its episodes).
        demo_fraction: Part of an online batch that comes from demonstrations, where there are any.
        updates_per_step: Updates per environment step, summed over all environments.
        seed_episodes: Each environment's first steps, as episodes' worth, are played without planning, by the
            policy prior if pretrained and else uniformly at random. Learning starts thereafter.
        seed_steps: The least number of such steps.
        learn_seed_steps: Whether those steps earn updates too, done all at once when they are over.

        planning: Whether to plan; else the policy prior acts alone.
        deterministic: Whether evaluation plays the mean plan instead of drawing an elite.
        iterations: Iterations of planning.
        num_samples: Candidate action sequences.
        num_policy_samples: Those among them that are rollouts of the policy prior.
        num_elites: Candidates that the next distribution is made of.
        temperature: Inverse temperature of the elites' weights.
        min_std: Least standard deviation of candidates.
        max_std: Greatest, and the initial one.
        constrained_planning: Whether the initial distribution is drawn to that of the policy's rollouts. None
            means for several tasks only.
        constraint_steps: Environment steps during which it is the policy's entirely.
        constraint_decay: Environment steps over which that fades.
        open_loop: In evaluation, actions played per look at the environment; the plan is prolonged by rolling
            the policy prior through the model.

        compile: Back end of `torch.compile` for the networks, such as `inductor`; empty to leave it out.
    """

    SIZES: ClassVar[Mapping[str, NetworkSize]] = SIZES

    size: str | None = None
    network: NetworkSize | None = None
    conditioning: Literal["language", "one-hot", "none"] | None = None
    normalize_language: bool = False
    paraphrase: int = 0
    pixels: bool = False
    group: int = 8
    bins: int = 101
    bin_range: float = 10.0
    log_std_min: float = -10.0
    log_std_max: float = 2.0

    batch_size: int = 1024
    horizon: int = 3
    rho: float = 0.5
    time_weights: Literal["sum", "mean"] = "sum"
    consistency_coef: float = 20.0
    reward_coef: float = 0.1
    value_coef: float = 0.1
    entropy_coef: float = 1e-4
    bc_coef: float = 1.0
    pretrain_bc_coef: float = 1.0
    learning_rate: float = 3e-4
    encoder_lr_scale: float = 0.3
    max_grad_norm: float = 20.0
    q_dropout: float = 0.0
    tau: float = 0.01
    target: Literal["target", "online"] = "target"
    warmup_updates: int = 5_000
    pretrain_updates: int = 200_000

    replay_capacity: int = 10_000_000
    replay_sampling: Literal["episode", "transition", "task"] = "episode"
    demo_fraction: float = 0.5
    updates_per_step: float = 0.075
    seed_episodes: int = 5
    seed_steps: int = 0
    learn_seed_steps: bool = False

    planning: bool = True
    deterministic: bool = False
    iterations: int = 6
    num_samples: int = 512
    num_policy_samples: int = 24
    num_elites: int = 64
    temperature: float = 0.5
    min_std: float = 0.05
    max_std: float = 2.0
    constrained_planning: bool | None = None
    constraint_steps: int = 2_000_000
    constraint_decay: int = 10_000_000
    open_loop: int = 1

    compile: str = ""

    def __post_init__(self) -> None:
        self._check()

    def _check(self) -> None:
        if self.size is not None and self.size not in self.SIZES:
            raise AgentError(f"size must be one of {', '.join(self.SIZES)}, not {self.size!r}")
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise AgentError(f"{name} must be one of {', '.join(map(str, known))}, not {getattr(self, name)!r}")
        if self.network is not None and self.network.latent_dim % self.group:
            raise AgentError(f"latent_dim {self.network.latent_dim} is not a multiple of the group size {self.group}")
        if not 0 <= self.num_policy_samples < self.num_samples or not 1 <= self.num_elites <= self.num_samples:
            raise AgentError("Planning needs num_policy_samples < num_samples and num_elites <= num_samples")
        if not 0 <= self.q_dropout < 1:
            raise AgentError(f"q_dropout must be at least 0 and below 1, not {self.q_dropout!r}")
        for name in _POSITIVE:
            if not getattr(self, name) >= 1:
                raise AgentError(f"{name} must be at least 1, not {getattr(self, name)!r}")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """Makes a configuration of named values.

        Raises:
            AgentError: A name is not known, or a value cannot be.
        """
        unknown = sorted(set(options) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise AgentError(f"There is no setting {', '.join(map(repr, unknown))}; see {cls.__name__} for all of them")
        network = options.get("network")
        if isinstance(network, Mapping):  # as read from JSON or TOML
            options = {**options, "network": NetworkSize(**network)}
        return cls(**options)

    def resolved(self, num_tasks: int) -> Self:
        """This configuration with everything that depends on the number of tasks filled in."""
        several = num_tasks > 1
        size = self.size or self.default_size(several=several)
        return dataclasses.replace(
            self,
            size=size,
            network=self.network or self.SIZES[size],
            conditioning=self.conditioning or ("language" if several else "none"),
            constrained_planning=several if self.constrained_planning is None else self.constrained_planning,
        )

    def default_size(self, *, several: bool) -> str:
        """The size of networks for one task or several."""
        return "L" if several else "B"

    @property
    def dims(self) -> NetworkSize:
        """Widths and depths of the networks.

        Raises:
            AgentError: Neither a size nor dimensions are chosen.
        """
        if self.network is not None:
            return self.network
        if self.size is None:
            raise AgentError("The size of the networks is not chosen; set `size`")
        return self.SIZES[self.size]

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary, that `from_options` reads."""
        return dataclasses.asdict(self)


_CHOICES: Mapping[str, tuple[Any, ...]] = {
    "conditioning": (None, "language", "one-hot", "none"),
    "target": ("target", "online"),
    "time_weights": ("sum", "mean"),
    "replay_sampling": ("episode", "transition", "task"),
}
_POSITIVE = ("batch_size", "horizon", "iterations", "open_loop", "replay_capacity", "bins")
