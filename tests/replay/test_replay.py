"""Replay: what is drawn was stored, never across episodes, and as often as promised."""

from __future__ import annotations

import numpy as np
import pytest

from newt_bench.errors import InputError
from newt_bench.replay import Episode, Recorder, Replay, ring


def episode(number: int, length: int, task: int = 0) -> Episode:
    """Every entry tells episode and step: 1000 * number + step."""
    steps = 1000 * number + np.arange(length + 1, dtype=np.float32)
    return Episode(task, steps[:, None].repeat(2, 1), steps[1:, None], steps[1:])


def filled(sampling="episode", lengths=(5, 20, 50), tasks=(0, 1, 1), capacity=200) -> Replay:
    replay = Replay(capacity, 2, 1, horizon=3, sampling=sampling)
    for number, (length, task) in enumerate(zip(lengths, tasks, strict=True)):
        replay.add(episode(number, length, task))
    return replay


@pytest.mark.parametrize("sampling", ["episode", "transition", "task"])
def test_subsequences_are_consecutive_and_stay_within_one_episode(sampling):
    replay, rng = Replay(97, 2, 1, horizon=3, sampling=sampling), np.random.default_rng(0)
    for number in range(60):
        replay.add(episode(number, int(rng.integers(3, 30)), number % 4))
        drawn = replay.sample(64, rng)
        assert drawn.obs.shape == (4, 64, 2)
        assert drawn.action.shape == (3, 64, 1)
        start = drawn.obs[0, :, 0]
        np.testing.assert_array_equal(drawn.obs, (start + np.arange(4)[:, None])[..., None].repeat(2, 2))
        np.testing.assert_array_equal(drawn.reward, start + np.arange(1, 4)[:, None])  # never a row 0
        np.testing.assert_array_equal(drawn.action[..., 0], drawn.reward)
        np.testing.assert_array_equal(drawn.task, start // 1000 % 4)
        assert set(start // 1000) <= set(range(number - replay.num_episodes + 1, number + 1))  # the newest are kept


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [
        ("episode", [1 / 3, 1 / 3, 1 / 3]),
        ("transition", [3 / 69, 18 / 69, 48 / 69]),
        ("task", [1 / 2, 9 / 66, 24 / 66]),
    ],
)
def test_how_often_episodes_are_drawn(sampling, shares):
    drawn = filled(sampling).sample(60_000, np.random.default_rng(1))
    number, offset = np.divmod(drawn.obs[0, :, 0].astype(int), 1000)
    assert np.bincount(number) / len(number) == pytest.approx(shares, abs=0.01)
    for which, positions in enumerate((3, 18, 48)):  # within an episode all positions alike, the ends included
        share = np.bincount(offset[number == which], minlength=positions) / (number == which).sum()
        assert share == pytest.approx([1 / positions] * positions, abs=0.02)


@pytest.mark.parametrize("steps", [1, 3, 8])
@pytest.mark.parametrize("sampling", ["episode", "transition", "task"])
def test_transitions_are_those_of_a_loop_over_the_episodes(steps, sampling):
    rng, discount = np.random.default_rng(0), np.array([0.9, 0.5, 0.99])
    replay = Replay(83, 1, 2, horizon=1, sampling=sampling)
    wanted = {}
    for number in range(40):
        length, task = int(rng.integers(1, 12)), number % 3
        obs = (100 * number + np.arange(length + 1, dtype=np.float32))[:, None]
        action, reward = (rng.normal(size=shape).astype(np.float32) for shape in ((length, 2), (length,)))
        replay.add(Episode(task, obs, action, reward))
        for t in range(length):
            count = min(steps, length - t)
            total = sum(discount[task] ** j * float(reward[t + j]) for j in range(count))
            wanted[float(obs[t, 0])] = (action[t], total, float(obs[t + count, 0]), count, task)
    drawn = replay.sample_transitions(2_000, rng, discount=discount, steps=steps)
    held = {start for start in wanted if start // 100 >= 40 - replay.num_episodes}
    assert set(drawn.obs[:, 0].tolist()) == held  # every step of every episode held, the last ones too
    for k, start in enumerate(drawn.obs[:, 0].tolist()):
        action, total, following, count, task = wanted[start]
        np.testing.assert_array_equal(drawn.action[k], action)
        assert drawn.reward[k] == pytest.approx(total, rel=1e-5, abs=1e-6)
        assert (drawn.next_obs[k, 0], drawn.steps[k], drawn.task[k]) == (following, count, task)


def test_a_transition_has_a_step():
    with pytest.raises(InputError, match="1 step or more, not 0"):
        filled().sample_transitions(1, np.random.default_rng(0), discount=np.ones(2), steps=0)


def test_the_oldest_make_room():
    replay = Replay(20, 2, 1)
    for number in range(5):
        replay.add(episode(number, 5))
    assert replay.num_episodes == 3
    assert replay.num_steps == 15
    replay.add(episode(9, 19))
    assert replay.num_episodes == 1


def joined(episodes: list[Episode]) -> tuple:
    """Flat arrays and lengths of episodes of one task."""
    arrays = [np.concatenate([getattr(e, name) for e in episodes]) for name in ("obs", "action", "reward")]
    return (episodes[0].task, *arrays, np.array([len(e) for e in episodes]))


@pytest.mark.parametrize("capacity", [31, 64, 1000])
def test_many_episodes_at_once_are_taken_in_as_one_by_one(capacity):
    """The same rows, the same draws, also where the ring goes round several times within one call."""
    rng = np.random.default_rng(0)
    single, bulk = (Replay(capacity, 3, 2) for _ in range(2))
    for number in range(12):
        lengths = rng.choice([3, 7, 7, 7, 30], size=rng.integers(1, 9))
        episodes = [episode(10 * number + k, int(length), number % 3) for k, length in enumerate(lengths)]
        for one in episodes:
            single.add(one)
        bulk.extend(*joined(episodes))
        for name, value in single.state().items():
            np.testing.assert_array_equal(bulk.state()[name], value, err_msg=name)
        a, b = (buffer.sample(16, np.random.default_rng(number)) for buffer in (single, bulk))
        np.testing.assert_array_equal(a.obs, b.obs)
        np.testing.assert_array_equal(a.action, b.action)


def test_what_does_not_fit_together_changes_nothing():
    replay = filled()
    before = replay.state()
    task, obs, action, reward, lengths = joined([episode(7, 5), episode(8, 9)])
    for wrong, message in (
        ((obs[1:], action, reward, lengths), "15 observations, 14 actions and 14 rewards do not make 2 episodes of 14"),
        ((obs, action[1:], reward, lengths), "13 actions"),
        ((obs, action, reward, np.array([12, 2])), "2 steps does not fit"),
        ((obs, action, reward, np.array([5, 8])), "2 episodes of 13 steps"),
    ):
        with pytest.raises(InputError, match=message):
            replay.extend(task, *wrong)
    for name, value in before.items():
        np.testing.assert_array_equal(replay.state()[name], value)


def test_narrow_episodes_are_padded_with_zeros_even_over_old_rows():
    replay = Replay(6, 3, 2)
    replay.add(Episode(0, np.ones((6, 3), np.float32), np.ones((5, 2), np.float32), np.ones(5, np.float32)))
    replay.add(Episode(0, np.ones((6, 1), np.float32), np.ones((5, 1), np.float32), np.ones(5, np.float32)))
    drawn = replay.sample(4, np.random.default_rng(0))
    assert drawn.obs[0, 0].tolist() == [1, 0, 0]
    assert drawn.action[0, 0].tolist() == [1, 0]


@pytest.mark.parametrize("folder", [None, "rows"])
def test_saved_and_loaded_it_draws_the_same(tmp_path, folder):
    replay = Replay(60, 2, 1, folder=tmp_path / folder if folder else None)
    for number in range(9):
        replay.add(episode(number, 4 + number))
    other = Replay(60, 2, 1)
    other.load_state(replay.state())
    for buffer in (replay, other):
        buffer.add(episode(20, 12))
    a, b = (buffer.sample(32, np.random.default_rng(3)) for buffer in (replay, other))
    np.testing.assert_array_equal(a.obs, b.obs)
    np.testing.assert_array_equal(a.reward, b.reward)
    with pytest.raises(InputError, match=r"rows of \(2, 1\) up to row"):
        Replay(10, 2, 1).load_state(replay.state())


def test_what_does_not_fit_in_memory_is_refused_with_figures(monkeypatch):
    monkeypatch.setattr(ring, "available_memory", lambda: 10**9)
    with pytest.raises(InputError, match=r"10,000,000 steps takes 5.80 GB; memory has 1.00 GB free.*to 1,551,724"):
        Replay(10_000_000, 128, 16)
    assert Replay(1_551_724, 128, 16).bytes == pytest.approx(0.9e9, rel=1e-6)


def test_what_does_not_fit_on_disk_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"GB free\. Choose another folder"):
        Replay(10**15, 128, 16, folder=tmp_path)


def test_the_real_memory_is_known():
    memory = ring.available_memory()
    assert memory is None or memory > 10**8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (episode(0, 2), "2 steps does not fit"),
        (episode(0, 200), "200 steps does not fit"),
        (Episode(0, np.zeros((6, 9), np.float32), np.zeros((5, 1), np.float32), np.zeros(5, np.float32)), "9 and 1"),
    ],
)
def test_episodes_that_do_not_fit_are_named(wrong, message):
    with pytest.raises(InputError, match=message):
        filled().add(wrong)


def test_drawing_from_nothing_is_an_error():
    with pytest.raises(InputError, match="empty"):
        Replay(10, 2, 1).sample(1, np.random.default_rng(0))


def play(recorder: Recorder, lengths: list[int], steps: int, start: int = 0) -> list[Episode]:
    """Slots with episodes of fixed lengths; observations tell slot, episode and step."""
    found = []
    slots = np.arange(len(lengths))
    for t in range(start, start + steps):
        at, number = t % np.array(lengths), t // np.array(lengths)
        obs = (10_000 * slots + 100 * number + at).astype(np.float32)[:, None]
        found += recorder.record(obs, obs, obs[:, 0], obs + 1, at + 1 == lengths, slots)
    return found


def test_recorder_gathers_whole_episodes():
    found = play(Recorder(2, 7, 1, 1), [3, 7], 21)
    assert [len(e) for e in found if e.task == 0] == [3] * 7
    assert [len(e) for e in found if e.task == 1] == [7] * 3
    third = [e for e in found if e.task == 1][2]
    np.testing.assert_array_equal(third.obs[:, 0], 10_200 + np.arange(8))
    np.testing.assert_array_equal(third.reward, 10_200 + np.arange(7))
    np.testing.assert_array_equal(third.action[:, 0], third.reward)


def test_recorder_goes_on_from_a_saved_state_and_restarts():
    first = Recorder(2, 7, 1, 1)
    play(first, [3, 7], 5)
    second = Recorder(2, 7, 1, 1)
    second.load_state(first.state())
    for a, b in zip(play(first, [3, 7], 9, 5), play(second, [3, 7], 9, 5), strict=True):
        np.testing.assert_array_equal(a.obs, b.obs)
    second.restart(np.array([True, True]))
    assert [len(e) for e in play(second, [5, 7], 7)] == [5, 7]
    with pytest.raises(InputError, match="longer episode"):
        play(second, [99, 99], 8)
