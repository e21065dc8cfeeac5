"""Replay buffers: whole episodes in a flat ring, and what gathers episodes from many environments at once."""

from newt_bench.replay.recorder import Recorder
from newt_bench.replay.ring import Episode, Replay, Sampling, Sequences, Transitions, available_memory

__all__ = ["Episode", "Recorder", "Replay", "Sampling", "Sequences", "Transitions", "available_memory"]
