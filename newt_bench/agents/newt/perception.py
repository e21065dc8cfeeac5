"""From observations to what the networks and the replay buffer take."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from newt_bench.agents.base import Observation
from newt_bench.agents.newt.losses import Batch
from newt_bench.catalogue import PADDED_ACTION_DIM, PADDED_OBS_DIM, Task
from newt_bench.errors import AgentError
from newt_bench.replay import Episode, Sequences
from newt_bench.vision import IMAGE_FEATURES, ImageEncoder, image_encoder

__all__ = ["Perception"]


class Perception:
    """Pads, strips and encodes.

    The networks take states padded to 128, then image features if there are any. The replay buffer takes rows as
    narrow as the tasks allow: states unpadded to the widest task's width, then image features.

    Args:
        tasks: The tasks.
        device: Where tensors go.
        pixels: Whether image features are seen; observations must then be `state_rgb`.
        encoder: Makes the features; by default the best that this machine can have.

    Attributes:
        width: Entries of a row's observation.
        action_width: Entries of a row's action.
    """

    def __init__(
        self, tasks: Sequence[Task], device: torch.device, *, pixels: bool, encoder: ImageEncoder | None = None
    ) -> None:
        self._device, self._pixels, self._encoder = device, pixels, encoder
        self._state_width = max(task.obs_dim for task in tasks)
        self.action_width = max(task.action_dim for task in tasks)
        self.width = self._state_width + (IMAGE_FEATURES if pixels else 0)
        self._frames: NDArray[np.uint8] | None = None
        self._features = np.zeros((0, IMAGE_FEATURES), np.float32)

    @property
    def encoder(self) -> ImageEncoder:
        """The image encoder."""
        if self._encoder is None:
            self._encoder = image_encoder()
        return self._encoder

    def tensor(self, obs: Observation) -> Tensor:
        """Observations as the networks take them: (slots, 128 or 896)."""
        state, features = self._split(obs)
        return torch.from_numpy(np.concatenate((state, features), 1)).to(self._device)

    def rows(self, obs: Observation) -> NDArray[np.float32]:
        """Observations as the replay buffer takes them: (slots, width)."""
        state, features = self._split(obs)
        return np.concatenate((state[:, : self._state_width], features), 1)

    def fitted(self, episode: Episode) -> Episode:
        """An episode with states padded so that image features, if any, stand in their place."""
        if not self._pixels:
            return episode
        state, features = np.split(episode.obs, [episode.obs.shape[1] - IMAGE_FEATURES], axis=1)
        padding = np.zeros((len(state), self._state_width - state.shape[1]), np.float32)
        return dataclasses.replace(episode, obs=np.concatenate((state, padding, features), 1))

    def batch(self, drawn: Sequence[Sequences]) -> Batch:
        """Subsequences of one or more buffers as one batch for learning."""
        obs = torch.from_numpy(np.concatenate([d.obs for d in drawn], 1)).to(self._device)
        action = torch.from_numpy(np.concatenate([d.action for d in drawn], 1)).to(self._device)
        reward = torch.from_numpy(np.concatenate([d.reward for d in drawn], 1)).to(self._device)
        task = torch.from_numpy(np.concatenate([d.task for d in drawn])).to(self._device)
        state, features = obs[..., : self._state_width], obs[..., self._state_width :]
        padded = torch.nn.functional.pad(state, (0, PADDED_OBS_DIM - self._state_width))
        action = torch.nn.functional.pad(action, (0, PADDED_ACTION_DIM - self.action_width))
        return Batch(torch.cat((padded, features), -1) if self._pixels else padded, action, reward, task)

    def _split(self, obs: Observation) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if isinstance(obs, Mapping):
            state, frames = obs["state"], obs["rgb"]
            return state, self._encode(frames) if self._pixels else np.zeros((len(state), 0), np.float32)
        if obs.dtype != np.float32 or obs.ndim != 2 or self._pixels:
            wanted = "states and images (obs_type='state_rgb')" if self._pixels else "states (obs_type='state')"
            raise AgentError(f"Newt was set up for {wanted}; got {obs.dtype} of shape {obs.shape}")
        return obs, np.zeros((len(obs), 0), np.float32)  # type: ignore[return-value]

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of frames, of those only that were not among the last ones: a step's `next_obs` comes back."""
        known = self._frames is not None and len(self._frames) == len(frames)
        fresh = np.array([not known or not np.array_equal(f, self._frames[i]) for i, f in enumerate(frames)])  # type: ignore[index]
        features = self._features.copy() if known else np.zeros((len(frames), IMAGE_FEATURES), np.float32)
        if fresh.any():
            features[fresh] = self.encoder(frames[fresh])
        self._frames, self._features = frames.copy(), features
        return features
