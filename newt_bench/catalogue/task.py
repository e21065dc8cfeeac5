"""The catalogue's records: what one task is, as plain immutable data."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

from newt_bench.errors import InputError

__all__ = [
    "PADDED_ACTION_DIM",
    "PADDED_OBS_DIM",
    "Anchor",
    "Domain",
    "Score",
    "Setting",
    "Task",
    "default_discount",
]

Setting = str | int | float | bool

#: Sizes to which multitask code pads states and actions, on the right with zeros. No task is larger.
PADDED_OBS_DIM = 128
PADDED_ACTION_DIM = 16


def default_discount(max_episode_steps: int) -> float:
    """Discount factor of a task that sets none: the horizon heuristic of TD-MPC2 (arXiv 2310.16828).

    With f = L/5 and L the episode length in agent steps: clip((f - 1)/f, 0.95, 0.995).

    Args:
        max_episode_steps: Episode length L in agent steps, at least 1.

    Returns:
        The discount per agent step, in [0.95, 0.995].
    """
    fraction = max_episode_steps / 5
    return min(max((fraction - 1) / fraction, 0.95), 0.995)


@dataclasses.dataclass(frozen=True)
class Score:
    """How a task maps an episode to a score in [0, 1].

    Attributes:
        kind: `return` scales the undiscounted return linearly; `final_success` is the success flag of
            the last step.
        low: Return that scores 0.
        high: Return that scores 1.
        clip: Whether the scaled return is clipped to [0, 1]. Where it is not, returns cannot leave it.
    """

    kind: Literal["return", "final_success"]
    low: float = 0.0
    high: float = 1.0
    clip: bool = False

    def __call__(self, episode_return: float, success: float) -> float:
        """Score of an episode that has this return so far and this success flag now.

        Args:
            episode_return: Sum of the agent's rewards since reset.
            success: 0 or 1, or NaN for a task without a success criterion.

        Returns:
            The score; in [0, 1] at the end of every episode.
        """
        if self.kind == "final_success":
            return float(success)
        scaled = (episode_return - self.low) / (self.high - self.low)
        if self.clip:
            return float(min(max(scaled, 0.0), 1.0))
        return float(scaled)


@dataclasses.dataclass(frozen=True)
class Anchor:
    """A measured mean return, for putting scores in proportion.

    Attributes:
        mean: Mean undiscounted return.
        sem: Standard error of that mean.
        episodes: Number of episodes measured.
    """

    mean: float
    sem: float
    episodes: int


@dataclasses.dataclass(frozen=True)
class Domain:
    """One family of tasks that share a simulator.

    Attributes:
        name: Domain name, as in `tasks/<name>.toml`.
        title: Name for people.
        extra: The extra that installs its simulator: `pip install "newt-bench[<extra>]"`.
        packages: Import names of the simulator packages that the domain needs.
    """

    name: str
    title: str
    extra: str
    packages: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Task:
    """One benchmark task. Read from `tasks/<domain>.toml` and validated there.

    Attributes:
        name: Task name, unique over all domains; the Gymnasium id is `newt/<name>-v0`.
        domain: Name of the domain that provides it.
        split: `core` (the 200 tasks of the benchmark) or `heldout` (for adaptation).
        instruction: What to achieve, in one sentence. No two tasks share embodiment and instruction.
        paraphrases: Four other sentences with the meaning of `instruction`.
        embodiment: The body and how it is controlled, in one sentence.
        simulator_id: The simulator's own name of the environment.
        settings: Simulator-specific settings, such as ManiSkill's `control_mode`. Read-only.
        action_dim: Number of actions n; the action space is [-1, 1]^n.
        obs_dim: Number of entries in the state observation.
        max_episode_steps: Fixed episode length in agent steps.
        action_repeat: Simulator steps per agent step.
        discount: Discount factor per agent step for agents that use one.
        score: Maps return and success to [0, 1].
        assets: Downloads that the task needs, such as `ycb:013_apple`; empty for most.
        tags: Sorted keywords to filter by.
        lite: Why the task is in the `lite` split, or None where it is not.
        fixed_start: Whether every episode starts from the same observation, whatever the seed.
        needs_renderer: Whether even state observations need a graphics driver.
        provenance: `release` where the task follows the published benchmark, `newt-bench` where the
            published release listed the task without implementing it and this project defines it. Scores
            of the latter must not be compared with published ones.
        random_return: Return of the uniform random policy as measured by this project, or None.
        scripted_return: Likewise of the scripted expert, or None where there is none.
    """

    name: str
    domain: str
    split: Literal["core", "heldout"]
    instruction: str
    paraphrases: tuple[str, ...]
    embodiment: str
    simulator_id: str
    action_dim: int
    obs_dim: int
    max_episode_steps: int
    action_repeat: int
    discount: float
    score: Score
    settings: Mapping[str, Setting] = dataclasses.field(default_factory=dict, hash=False)
    assets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    lite: str | None = None
    fixed_start: bool = False
    needs_renderer: bool = False
    provenance: Literal["release", "newt-bench"] = "release"
    random_return: Anchor | None = None
    scripted_return: Anchor | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", MappingProxyType(dict(self.settings)))

    def __getstate__(self) -> dict[str, Any]:
        # A mapping proxy cannot be pickled.
        return {**self.__dict__, "settings": dict(self.settings)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, settings=MappingProxyType(state["settings"]))

    @property
    def id(self) -> str:
        """Gymnasium id, such as `newt/walker-run-v0`."""
        return f"newt/{self.name}-v0"

    def text_in_other_words(self, paraphrase: int) -> str:
        """The text with one of the paraphrases in the instruction's place.

        Args:
            paraphrase: 1 to 4; 0 for the instruction itself.

        Raises:
            InputError: There is no such paraphrase.
        """
        sentences = (self.instruction, *self.paraphrases)
        if not 0 <= paraphrase < len(sentences):
            raise InputError(f"{self.name} has paraphrases 1 to {len(sentences) - 1}, and not {paraphrase}")
        return f"{self.embodiment} {sentences[paraphrase]}"

    @property
    def text(self) -> str:
        """Embodiment and instruction: the text that language-conditioned agents embed."""
        return self.text_in_other_words(0)

    @property
    def has_success(self) -> bool:
        """Whether the task defines success; where not, `info["success"]` is NaN."""
        return self.score.kind == "final_success"

    def to_dict(self) -> dict[str, Any]:
        """JSON-compatible dictionary, as `newt-bench tasks --json` prints it."""
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        record.update(
            id=self.id,
            settings=dict(self.settings),
            score=dataclasses.asdict(self.score),
            random_return=dataclasses.asdict(self.random_return) if self.random_return else None,
            scripted_return=dataclasses.asdict(self.scripted_return) if self.scripted_return else None,
        )
        return {key: list(value) if isinstance(value, tuple) else value for key, value in record.items()}

    def check(self) -> None:
        """Checks what types alone do not say.

        Raises:
            ValueError: With `field: reason`.
        """
        _require(self.split in ("core", "heldout"), "split", "must be 'core' or 'heldout'")
        _require(self.provenance in ("release", "newt-bench"), "provenance", "'release' or 'newt-bench'")
        _require(1 <= self.action_dim <= PADDED_ACTION_DIM, "action_dim", f"must lie in 1..{PADDED_ACTION_DIM}")
        _require(1 <= self.obs_dim <= PADDED_OBS_DIM, "obs_dim", f"must lie in 1..{PADDED_OBS_DIM}")
        _require(self.max_episode_steps >= 1, "max_episode_steps", "must be at least 1")
        _require(self.action_repeat >= 1, "action_repeat", "must be at least 1")
        _require(0 < self.discount < 1, "discount", "must lie strictly between 0 and 1")
        _require(
            math.isfinite(self.score.low) and self.score.low < self.score.high < math.inf,
            "score",
            "needs finite low < high",
        )
        _require(
            self.score.kind in ("return", "final_success"),
            "score",
            "kind must be 'return' or 'final_success'",
        )
        _require(len(self.paraphrases) == 4, "paraphrases", f"needs 4 sentences, has {len(self.paraphrases)}")
        sentences = (self.instruction, *self.paraphrases, self.embodiment)
        _require(len(set(sentences)) == len(sentences), "paraphrases", "two sentences are the same")
        for sentence in sentences:
            _require(
                sentence[:1].isupper() and sentence.endswith("."),
                "instruction",
                f"not a sentence (capital first, full stop last): {sentence!r}",
            )
        _require(self.lite is None or self.split == "core", "lite", "only core tasks can be in lite")


def _require(condition: bool, field: str, reason: str) -> None:
    if not condition:
        raise ValueError(f"{field}: {reason}")
