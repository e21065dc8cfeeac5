"""The games of MiniArcade, one module each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.games.point_maze import PointMaze
from newt_bench.envs.miniarcade.games.pong import Pong
from newt_bench.envs.miniarcade.games.reacher import Reacher
from newt_bench.envs.miniarcade.games.rocket_collect import RocketCollect
from newt_bench.envs.miniarcade.games.spaceship import Spaceship

__all__ = ["GAMES"]

#: Games by `simulator_id`: `<game>` or `<game>/<variant>`.
GAMES: dict[str, Callable[[], Game]] = {
    "point_maze/var1": partial(PointMaze, "var1"),
    "point_maze/var2": partial(PointMaze, "var2"),
    "point_maze/var3": partial(PointMaze, "var3"),
    "point_maze/var4": partial(PointMaze, "var4"),
    "point_maze/var5": partial(PointMaze, "var5"),
    "point_maze/var6": partial(PointMaze, "var6"),
    "point_maze/var7": partial(PointMaze, "var7"),
    "point_maze/var8": partial(PointMaze, "var8"),
    "pong": Pong,
    "reacher/easy": partial(Reacher, "easy"),
    "reacher/hard": partial(Reacher, "hard"),
    "reacher/var1": partial(Reacher, "var1"),
    "reacher/var2": partial(Reacher, "var2"),
    "rocket_collect": RocketCollect,
    "spaceship": Spaceship,
}
