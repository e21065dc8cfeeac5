"""The data set for PyTorch, in this process and in workers."""

from __future__ import annotations

import multiprocessing
import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, get_worker_info

from newt_bench.demos import load_demos
from newt_bench.errors import InputError

NAME = "pygame-cowboy"


def test_items_are_runs_within_episodes(recorded, folder):
    windows = load_demos(NAME, root=folder).windows(horizon=7)
    episodes = recorded[NAME]
    assert len(windows) == sum(len(e) - 6 for e in episodes)
    starts = [(k, t) for k, e in enumerate(episodes) for t in range(len(e) - 6)]
    for index in (0, 1, 493, 494, 495, 987, 988, len(windows) - 1):
        k, t = starts[index]
        item = windows[index]
        np.testing.assert_array_equal(item["observation"], episodes[k].observation[t : t + 8])
        np.testing.assert_array_equal(item["action"], episodes[k].action[t : t + 7])
        np.testing.assert_array_equal(item["reward"], episodes[k].reward[t : t + 7])
        assert item["task"] == 0
    for index in (-1, len(windows)):
        with pytest.raises(IndexError):
            windows[index]
    assert len(load_demos(NAME, root=folder).windows(horizon=500)) == 3
    with pytest.raises(InputError, match="No episode has 501 steps"):
        load_demos(NAME, root=folder).windows(horizon=501)


def test_several_tasks_are_padded(recorded, folder):
    demos = load_demos(root=folder)
    windows = demos.windows(horizon=3)
    batch = windows.sample(400, np.random.default_rng(0))
    assert batch["observation"].shape == (400, 4, 128)
    assert batch["action"].shape == (400, 3, 16)
    assert set(batch["task"]) == {0, 1}
    dims = [(item.task.obs_dim, item.task.action_dim) for item in demos.values()]
    for row, task in enumerate(batch["task"]):
        obs_dim, action_dim = dims[task]
        assert not batch["observation"][row, :, obs_dim:].any()
        assert not batch["action"][row, :, action_dim:].any()
    all_items = windows.batch(np.arange(len(windows)))
    np.testing.assert_array_equal(np.bincount(all_items["task"]), [3 * 498, 3 * 198])
    with pytest.raises(InputError, match="unless padded"):
        demos.windows(padded=False).sample(400, np.random.default_rng(0))


def test_sampling_is_a_function_of_the_generator(folder):
    windows = load_demos(root=folder).windows(4)
    a, b = (windows.sample(32, np.random.default_rng(1)) for _ in range(2))
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])


def private_memory():
    """How much memory this process has for itself, in bytes."""
    with open("/proc/self/smaps_rollup") as file:
        private = sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))
    return private * 1024


class Measured:
    """Passes items through, with the worker's number and memory."""

    def __init__(self, windows):
        self.windows = windows

    def __len__(self):
        return len(self.windows)

    def __getitem__(self, index):
        return {
            **self.windows[index],
            "index": index,
            "worker": get_worker_info().id,
            "memory": private_memory() if index % 64 == 0 else 0,
        }


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:This DataLoader will create 4 worker:UserWarning")
@pytest.mark.parametrize(("method", "compression"), [("fork", "gzip"), ("spawn", "none")])
def test_four_workers_return_the_right_rows(recorded, folder, method, compression):
    """The parent has the file open, and has read from it, before the workers start."""
    from newt_bench.demos import write_demos
    from tests.demos.conftest import info_of

    write_demos(folder / f"{NAME}.h5", info_of(NAME), recorded[NAME], compression)
    windows = load_demos(NAME, root=folder, mapped=True).windows(horizon=2)
    expected = windows.batch(np.arange(len(windows)))
    loader = DataLoader(
        Measured(windows), batch_size=64, num_workers=4, multiprocessing_context=multiprocessing.get_context(method)
    )
    seen, memory = [], {}
    for batch in loader:
        for name in ("observation", "action", "reward"):
            assert torch.equal(batch[name], torch.from_numpy(expected[name][batch["index"]]))
        seen += batch["index"].tolist()
        memory.setdefault(int(batch["worker"][0]), []).append(int(batch["memory"][0]))
    assert seen == list(range(len(windows)))
    assert set(memory) == {0, 1, 2, 3}
    for used in memory.values():
        assert max(used) - used[0] < 2**23, "memory grows while rows are read"


def test_pickles_stay_small(folder):
    demos = load_demos(root=folder, mapped=True)
    whole = sum(path.stat().st_size for path in folder.iterdir())
    windows = demos.windows(2)
    windows.sample(100, np.random.default_rng(0))
    assert len(pickle.dumps(windows)) < whole / 10


def test_batches_through_a_loader(folder):
    loader = DataLoader(load_demos(root=folder).windows(3), batch_size=50, shuffle=True)
    batch = next(iter(loader))
    assert batch["observation"].dtype == torch.float32
    assert batch["observation"].shape == (50, 4, 128)
    assert batch["task"].shape == (50,)
