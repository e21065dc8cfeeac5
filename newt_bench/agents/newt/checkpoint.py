"""The training state of Newt: what a resumed run needs beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from newt_bench.agents.shared.agent_files import TrainingState, read_training
from newt_bench.agents.shared.distributed import total
from newt_bench.replay import Recorder

if TYPE_CHECKING:
    from newt_bench.agents.newt.agent import NewtAgent

__all__ = ["load_training", "training_state"]

_BUFFERS = ("online", "demonstrations")


def training_state(agent: NewtAgent) -> TrainingState:
    """Moments, random streams, slots, replay buffers."""
    values: dict[str, Any] = {
        "seed": agent.seed,
        "pretrained": agent.pretrained,
        "warmup": agent.learner.warmup,
        "owed": agent._owed,
        "slot_steps": agent._slot_steps.tolist(),
        "learner": agent.learner.randomness.state(),
    }
    state = TrainingState(values, {"learner": agent.learner.state()})
    for mode, actor in agent._actors.items():
        state.tensors[mode], values[mode] = actor.state()
    if agent._recorder is not None:
        state.add_arrays("recorder", agent._recorder.state())
    for name, buffer in zip(_BUFFERS, (agent._replay, agent._demonstrations), strict=True):
        if buffer is not None:
            state.buffers[name] = buffer.state()
    return state


def load_training(folder: Path, agent: NewtAgent) -> None:
    """Makes an agent, just built from the same folder, go on as the saved one would have; if there is a state.

    Raises:
        AgentError: The state is for other tasks.
    """
    state = read_training(folder, agent.FORMAT, agent.tasks, _BUFFERS)
    if state is None:
        return
    values = state.values
    agent.seed, agent.pretrained = values["seed"], values["pretrained"]
    agent.learner.warmup = values["warmup"]
    agent.learner.load_state(state.tensors["learner"])
    agent.learner.randomness.load_state(values["learner"])
    for mode, actor in agent._actors.items():
        actor.load_state(state.tensors[mode], values[mode])
    agent._owed, agent._slot_steps = values["owed"], np.array(values["slot_steps"], np.int64)
    recorded = state.arrays("recorder")
    if recorded:
        longest = max(task.max_episode_steps for task in agent.tasks)
        seen = agent._perception
        agent._recorder = Recorder(len(recorded["steps"]), longest, seen.width, seen.action_width)
        agent._recorder.load_state(recorded)
        agent._total_slots = int(total(len(agent._recorder)))
    for name, arrays in state.buffers.items():
        buffer = agent._buffer(name)
        buffer.load_state(arrays)
        setattr(agent, "_replay" if name == "online" else "_demonstrations", buffer)
