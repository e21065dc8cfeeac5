"""The colours that the games share, so that a colour means the same thing everywhere."""

from __future__ import annotations

from newt_bench.envs.miniarcade.canvas import Color

__all__ = ["AGENT", "AGENT_RIM", "DANGER", "GOAL", "GOLD", "INK", "MUTED", "NIGHT", "OPPONENT", "PAPER"]

#: What the agent moves, in the abstract games; nothing else is orange.
AGENT: Color = (255, 165, 60)
AGENT_RIM: Color = (190, 110, 25)
#: Who plays against the agent.
OPPONENT: Color = (170, 176, 190)
#: Where the agent is to go, and what is good for it.
GOAL: Color = (80, 220, 120)
GOLD: Color = (255, 215, 0)
#: What the agent had better avoid; also the veil after a mishap.
DANGER: Color = (225, 70, 70)
#: Backgrounds, from dark to light, and writing.
NIGHT: Color = (10, 12, 18)
INK: Color = (30, 34, 44)
MUTED: Color = (90, 96, 110)
PAPER: Color = (235, 237, 242)
