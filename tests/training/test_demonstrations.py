"""Learning from what scripted experts play when a run begins."""

from __future__ import annotations

import logging

import pytest

from newt_bench.demos import load_demos
from newt_bench.errors import InputError
from newt_bench.training import train

SMALL = {"hidden": [16], "updates": 5, "batch_size": 16, "conditioning": "one-hot"}
SETTINGS = {"steps": 0, "final_episodes": 1, "num_workers": 1, "demonstrations": "scripted", "progress": False}


def test_experts_play_what_the_agent_learns_from(tmp_path, caplog):
    tasks = ["og-ant-maze", "og-point-maze", "og-point-arena"]
    with caplog.at_level(logging.WARNING):
        run = train("bc", tasks, out=tmp_path / "run", options=SMALL, scripted_episodes=2, **SETTINGS)
    assert "no demonstration, of og-ant-maze" in caplog.text
    demos = load_demos(root=run.folder / "demonstrations")
    assert {name: len(item) for name, item in demos.items()} == {"og-point-arena": 2, "og-point-maze": 2}
    assert run.agent.updates == 5
    assert run.agent.training_state().values["taken"] == [0, 2, 2]
    assert run.results.provenance["training"]["settings"]["scripted_episodes"] == 2
    # Runs of other seeds learn from the same.
    other = train("bc", tasks[1], out=tmp_path / "other", options=SMALL, scripted_episodes=2, seed=1, **SETTINGS)
    again = load_demos(root=other.folder / "demonstrations")
    assert (again["og-point-maze"].action == demos["og-point-maze"].action).all()


def test_without_any_expert_it_is_refused(tmp_path):
    with pytest.raises(InputError, match="None of the tasks has a scripted expert"):
        train("bc", "og-ant-maze", out=tmp_path / "run", options=SMALL, **SETTINGS)
