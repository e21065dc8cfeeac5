"""The colours that the games share, so that a colour means the same thing everywhere."""

from __future__ import annotations

from newt_bench.envs.miniarcade.canvas import Color

__all__ = [
    "AGENT",
    "AGENT_RIM",
    "DANGER",
    "FLAME",
    "FLAME_TIP",
    "GOAL",
    "GOLD",
    "GOLD_RIM",
    "INK",
    "MUTED",
    "NIGHT",
    "OPPONENT",
    "PAPER",
    "ROCK",
    "ROCK_LIGHT",
    "ROCK_RIM",
    "SHIP",
    "SHIP_GLASS",
    "SHIP_RIM",
]

#: What the agent moves, in the abstract games; nothing else is orange.
AGENT: Color = (255, 165, 60)
AGENT_RIM: Color = (190, 110, 25)
#: Who plays against the agent.
OPPONENT: Color = (170, 176, 190)
#: Where the agent is to go, and what is good for it.
GOAL: Color = (80, 220, 120)
GOLD: Color = (255, 215, 0)
GOLD_RIM: Color = (176, 132, 10)
#: What the agent had better avoid; also the veil after a mishap.
DANGER: Color = (225, 70, 70)
#: Backgrounds, from dark to light, and writing.
NIGHT: Color = (10, 12, 18)
INK: Color = (30, 34, 44)
MUTED: Color = (90, 96, 110)
PAPER: Color = (235, 237, 242)
#: Things in space.
SHIP: Color = (180, 180, 255)
SHIP_RIM: Color = (100, 100, 200)
SHIP_GLASS: Color = (40, 60, 130)
FLAME: Color = (255, 205, 70)
FLAME_TIP: Color = (240, 110, 40)
ROCK: Color = (108, 108, 114)
ROCK_LIGHT: Color = (138, 137, 140)
ROCK_RIM: Color = (66, 65, 72)
