"""Newt, the reference agent: a language-conditioned world model for many tasks (arXiv 2511.19584)."""

from newt_bench.agents.newt.agent import NewtAgent
from newt_bench.agents.newt.config import SIZES, NetworkSize, NewtConfig

__all__ = ["SIZES", "NetworkSize", "NewtAgent", "NewtConfig"]
