"""The games of MiniArcade, one module each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from newt_bench.envs.miniarcade.game import Game
from newt_bench.envs.miniarcade.games.air_hockey import AirHockey
from newt_bench.envs.miniarcade.games.bird_attack import BirdAttack
from newt_bench.envs.miniarcade.games.cartpole import CartPole
from newt_bench.envs.miniarcade.games.chase_evade import ChaseEvade
from newt_bench.envs.miniarcade.games.coconut_dodge import CoconutDodge
from newt_bench.envs.miniarcade.games.coinrun import Coinrun
from newt_bench.envs.miniarcade.games.cowboy import Cowboy
from newt_bench.envs.miniarcade.games.highway import Highway
from newt_bench.envs.miniarcade.games.landing import Landing
from newt_bench.envs.miniarcade.games.point_maze import PointMaze
from newt_bench.envs.miniarcade.games.pong import Pong
from newt_bench.envs.miniarcade.games.reacher import Reacher
from newt_bench.envs.miniarcade.games.rocket_collect import RocketCollect
from newt_bench.envs.miniarcade.games.spaceship import Spaceship

__all__ = ["GAMES"]

#: Games by `simulator_id`: `<game>` or `<game>/<variant>`.
GAMES: dict[str, Callable[[], Game]] = {
    "air_hockey": AirHockey,
    "bird_attack": BirdAttack,
    "cartpole/balance": CartPole,
    "cartpole/swingup": partial(CartPole, hanging=True),
    "cartpole/balance_sparse": partial(CartPole, sparse=True),
    "cartpole/swingup_sparse": partial(CartPole, hanging=True, sparse=True),
    "cartpole/tremor": partial(CartPole, tremor=True),
    "chase_evade": ChaseEvade,
    "coconut_dodge": CoconutDodge,
    "coinrun": Coinrun,
    "cowboy": Cowboy,
    "highway": Highway,
    "landing": Landing,
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
