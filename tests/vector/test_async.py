"""`send` and `recv`: slots go on by themselves, and give what they give in lockstep."""

from __future__ import annotations

import numpy as np
import pytest

from newt_bench.errors import InputError
from newt_bench.vector import make_vec
from newt_bench.vector.worker import _GATHERING_SECONDS

TASKS = ["mujoco-reacher", "pygame-pong", "lunarlander-hover"]
STEPS = 60


def action(slot, step):
    return np.random.default_rng((slot, step)).uniform(-1, 1, 16).astype(np.float32)


def in_lockstep(**arguments):
    """By slot: observation, reward, truncated and score of every step, and the final observations."""
    envs = make_vec(TASKS, 2, **arguments)
    envs.reset()
    found = {slot: [] for slot in range(envs.num_envs)}
    for step in range(STEPS):
        obs, reward, _, truncated, info = envs.step([action(slot, step) for slot in found])
        for slot, rows in found.items():
            final = info["final_obs"][slot] if truncated[slot] else None
            rows.append((obs[slot], reward[slot], truncated[slot], info["score"][slot], final))
    envs.close()
    return found


def one_by_one(min_slots, **arguments):
    """The same, with each slot sent its next action as soon as it is received."""
    envs = make_vec(TASKS, 2, **arguments)
    envs.reset()
    found = {slot: [] for slot in range(envs.num_envs)}
    envs.send([action(slot, 0) for slot in found])
    while envs.pending.any():
        slots, obs, reward, terminated, truncated, info = envs.recv(min(min_slots, int(envs.pending.sum())))
        assert len(slots) == len(obs) == len(reward) == len(terminated) == len(info["score"])
        assert (np.diff(slots) > 0).all()
        for row, slot in enumerate(slots):
            final = info["final_obs"][row] if truncated[row] else None
            found[slot].append((obs[row], reward[row], truncated[row], info["score"][row], final))
        again = [slot for slot in slots if len(found[slot]) < STEPS]
        if again:
            envs.send([action(slot, len(found[slot])) for slot in again], again)
    envs.close()
    return found


@pytest.mark.parametrize(("workers", "min_slots"), [(1, 1), (2, 1), (2, 4)])
def test_slots_give_the_same_in_whatever_order(workers, min_slots):
    one, other = in_lockstep(num_workers=1, seed=2), one_by_one(min_slots, num_workers=workers, seed=2)
    for slot, rows in one.items():
        assert len(other[slot]) == STEPS
        for left, right in zip(rows, other[slot], strict=True):
            for mine, theirs in zip(left, right, strict=True):
                np.testing.assert_array_equal(mine, theirs)


def test_slow_slots_do_not_hold_back_those_of_other_workers():
    """A step of the desk takes as long as a thousand of the game."""
    envs = make_vec(["rd-push-red", "pygame-pong"], num_workers=2)
    envs.reset()
    envs.send(envs.action_space.sample())
    counts = np.zeros(2, int)
    while counts[0] < 5:
        slots, *_ = envs.recv()
        counts[slots] += 1
        envs.send(envs.action_space.sample()[slots], slots)
    assert counts[1] > 10 * counts[0]
    envs.close()


def test_finished_slots_do_not_wait_for_slow_ones_of_their_worker():
    envs = make_vec(["pygame-pong", "rd-push-red"], num_workers=1)
    assert _GATHERING_SECONDS < 0.001
    envs.reset()
    sizes = []
    for _ in range(10):
        # The desk is played first, is reported when it is done, and the game after it.
        envs.send(envs.action_space.sample()[[1, 0]], [1, 0])
        sizes.append(len(envs.recv()[0]))
        if envs.pending.any():
            envs.recv()
    assert sizes.count(1) >= 8
    envs.close()


def test_slots_can_be_named_by_a_mask():
    envs = make_vec(TASKS)
    envs.reset()
    mask = np.array([True, False, True])
    envs.send(envs.action_space.sample()[mask], mask)
    assert envs.pending.tolist() == mask.tolist()
    slots, obs, *_ = envs.recv(2)
    assert slots.tolist() == [0, 2]
    assert obs.shape == (2, 128)
    envs.close()


def test_what_cannot_be_sent_or_received_is_refused():
    envs = make_vec(TASKS)
    envs.reset()
    some = envs.action_space.sample()
    for call, message in (
        (lambda: envs.recv(), "pending slots, not 1"),
        (lambda: envs.send(some, [0, 1]), r"shape \(2, 16\), not \(3, 16\)"),
        (lambda: envs.send(some, [0, 1, 3]), "lie in 0..2"),
        (lambda: envs.send(some, [0, 1, 1]), "distinct"),
        (lambda: envs.send(some, [0.5, 1, 2]), "indices or a mask"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    assert not envs.pending.any()
    envs.send(some[:2], [0, 1])
    for call, message in (
        (lambda: envs.send(some[:1], [1]), r"slots \[1\] are still pending"),
        (lambda: envs.step(some), r"slots \[0, 1\] are still pending"),
        (lambda: envs.recv(3), r"must lie in 1..2"),
    ):
        with pytest.raises(InputError, match=message):
            call()
    envs.close()


def test_a_reset_gives_up_what_is_pending():
    envs, other = make_vec(TASKS, seed=3), make_vec(TASKS, seed=3)
    envs.reset()
    envs.send(envs.action_space.sample())
    np.testing.assert_array_equal(envs.reset(seed=3)[0], other.reset()[0])
    assert not envs.pending.any()
    actions = envs.action_space.sample()
    np.testing.assert_array_equal(envs.step(actions)[0], other.step(actions)[0])
    envs.close()
    other.close()
