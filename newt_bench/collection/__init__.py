"""Makes demonstrations by letting an agent play, and plays them again."""

from newt_bench.collection.collecting import SCRIPTED, Collected, collect, demonstration_seed
from newt_bench.collection.replaying import Replay, draw, replay, show

__all__ = ["SCRIPTED", "Collected", "Replay", "collect", "demonstration_seed", "draw", "replay", "show"]
