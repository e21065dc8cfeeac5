"""Agents: the interface that all of them share, and the ones that ship with newt-bench."""

from newt_bench.agents.base import Agent, Mode, Observation
from newt_bench.agents.loading import AgentFactory, load_agent_factory, saved_tasks
from newt_bench.agents.team import Team

__all__ = ["Agent", "AgentFactory", "Mode", "Observation", "Team", "load_agent_factory", "saved_tasks"]
