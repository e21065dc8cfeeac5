"""Agents: the interface that all of them share, and the ones that ship with newt-bench."""

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.agents.loading import AgentFactory, load_agent_factory

__all__ = ["Agent", "AgentFactory", "Mode", "Observation", "load_agent_factory"]
