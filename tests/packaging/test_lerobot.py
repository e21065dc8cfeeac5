"""LeRobot itself reads what is exported for it, in an environment of its own: its pins exclude those of ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from newt_bench.demos import load_demos, write_demos
from tests.conftest import REPOSITORY
from tests.demos.conftest import info_of, roll

pytestmark = pytest.mark.packaging

NAMES = ("pygame-point-maze-var1", "mujoco-reacher")
#: With what LeRobot's data sets import beside it. Torch and NumPy are this environment's.
LEROBOT = ("lerobot==0.4.4", "accelerate>=1.10,<2", "psutil")
NEEDED = ("datasets>=4,<5", "huggingface-hub>=0.34.2,<0.36", "packaging<26", "av>=15,<16", "draccus==0.10.0",
          "jsonlines>=4,<5", "deepdiff>=7.0.1,<9", "termcolor>=2.4", "einops>=0.8", "numpy<2.4")  # fmt: skip

EXPORT = """
import sys
from newt_bench.cli import main
sys.argv = ["newt-bench", "demos", "export", "--root", "demos", "--out", "out", "--format", "lerobot"]
main()
"""

READ = """
import json, sys
import torch

# The wheel of torchvision for CUDA does not load its operators beside torch for processors; none of them is used.
operators = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from lerobot.datasets.lerobot_dataset import LeRobotDataset

for name in sys.argv[1:]:
    dataset = LeRobotDataset(f"newt-bench/{name}", root=f"out/newt-bench/{name}")
    rows = [dataset[k] for k in range(len(dataset))]
    found = {key: [row[key].tolist() for row in rows] for key in dataset.features}
    found["task"] = sorted({row["task"] for row in rows})
    found["last"] = [dataset.meta.episodes[k]["final_observation"] for k in range(dataset.num_episodes)]
    found["counts"] = [dataset.num_episodes, dataset.num_frames]
    found["mean"] = dataset.meta.stats["action"]["mean"].tolist()
    deltas = {"action": [0, 1 / dataset.fps]}
    second = LeRobotDataset(f"newt-bench/{name}", root=f"out/newt-bench/{name}", episodes=[1], delta_timestamps=deltas)
    found["pairs"] = [len(second), second[0]["action"].tolist()]
    print(json.dumps(found))
"""


def run(*command: object, cwd: Path, **environment: str) -> str:
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    child = subprocess.run([str(part) for part in command], cwd=cwd, env={**variables, **environment},
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert child.returncode == 0, f"{command}\n{child.stdout}\n{child.stderr}"
    return child.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """Python of an environment with LeRobot; what it does not pin itself is that of this one."""
    import torch

    folder = tmp_path_factory.mktemp("lerobot")
    run(sys.executable, "-m", "venv", folder, cwd=folder)
    found = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    vision = f"torchvision==0.{int(torch.__version__.split('.')[1]) + 15}.*"
    run(found, "-m", "pip", "install", "--quiet", *NEEDED, cwd=folder)
    run(found, "-m", "pip", "install", "--quiet", "--no-deps", *LEROBOT, vision, cwd=folder)
    packages = run(found, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).strip()
    (Path(packages) / "beside.pth").write_text(sysconfig.get_path("purelib"))
    return found


def test_lerobot_reads_an_export(python, tmp_path):
    recorded = {name: [roll(name, seed) for seed in (3, 4)] for name in NAMES}
    for name, episodes in recorded.items():
        write_demos(tmp_path / "demos" / f"{name}.h5", info_of(name), episodes)
    demos = load_demos(root=tmp_path / "demos")
    printed = run(python, "-c", EXPORT, cwd=tmp_path, PYTHONPATH=str(REPOSITORY))
    assert printed.split() == sorted(f"newt-bench/{name}" for name in NAMES)
    lines = run(python, "-c", READ, *NAMES, cwd=tmp_path, HF_HUB_OFFLINE="1").splitlines()
    for name, line in zip(NAMES, lines[-len(NAMES) :], strict=True):
        found, episodes, item = json.loads(line), recorded[name], demos[name]
        assert found["counts"] == [2, item.steps]
        assert found["task"] == [item.task.instruction]
        for key, expected in (
            ("observation.state", np.concatenate([e.observation[:-1] for e in episodes])),
            ("action", item.action),
            ("next.reward", item.reward),
            ("next.success", item.success),
            ("next.score", item.score),
            ("episode_index", np.repeat([0, 1], [len(e) for e in episodes])),
            ("frame_index", np.concatenate([np.arange(len(e)) for e in episodes])),
            ("next.done", np.concatenate([np.arange(len(e)) == len(e) - 1 for e in episodes])),
        ):
            np.testing.assert_array_equal(np.array(found[key], expected.dtype), expected, err_msg=key)
        np.testing.assert_array_equal(np.float32(found["last"]), [e.observation[-1] for e in episodes])
        np.testing.assert_allclose(found["mean"], item.action.mean(axis=0), atol=1e-5)
        length, pair = found["pairs"]
        assert length == len(episodes[1])
        np.testing.assert_array_equal(np.float32(pair), episodes[1].action[:2])
        told = json.loads((tmp_path / "out" / "newt-bench" / name / "meta" / "newt_bench.json").read_text())
        assert (told["task"], told["policy"], told["licence"]) == (item.task.id, dict(item.info.policy), "MIT")
