"""Losses against brute force, the plain version of the same maths, target critics, and several processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import multiprocessing

from newt_bench.agents.newt.config import NewtConfig
from newt_bench.agents.newt.learner import Learner
from newt_bench.agents.newt.losses import (
    Batch,
    RunningScale,
    model_loss,
    policy_loss,
    td_target,
    time_weights,
)
from newt_bench.agents.newt.planner import plan
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.tasks import masked_mse
from tests.agents.newt.conftest import make_batch, make_model

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))


def test_time_weights_by_hand():
    config = NewtConfig()
    assert time_weights(config, 4, 3).tolist() == pytest.approx([8 / 15, 4 / 15, 2 / 15, 1 / 15])
    assert time_weights(config, 3, 3).tolist() == pytest.approx([8 / 15, 4 / 15, 2 / 15])
    means = NewtConfig(time_weights="mean")
    assert time_weights(means, 3, 3).tolist() == pytest.approx([1 / 3, 1 / 6, 1 / 12])
    assert time_weights(means, 4, 3).tolist() == pytest.approx([1 / 4, 1 / 8, 1 / 16, 1 / 32])


def test_td_target_by_hand():
    model, random = make_model(), Randomness(4)
    following, reward, task = torch.rand(3, 2, 32), torch.randn(3, 2), torch.tensor([1, 2])
    context = model.context(task)
    target = td_target(model, following, reward, context, Randomness(4))
    noise, (i, j) = random.normal(3, 2, 16), random.two_of(3)
    action = model.act(following, context, noise).action
    x = torch.cat((following, action), -1)
    logits = model.target_critics(x, context["target_critics"])
    q = [model.bins.mean(logits[head]) for head in (i, j)]
    discount = torch.tensor([0.98, 0.99])
    torch.testing.assert_close(target, reward + discount * torch.minimum(*q))


def test_masked_error_averages_over_valid_entries():
    error = masked_mse(torch.tensor([[1.0, 3.0, 9.0]]), torch.zeros(1, 3), torch.tensor([[1.0, 1.0, 0.0]]))
    assert error.tolist() == [5.0]


def test_running_scale():
    scale = RunningScale(0.25)
    scale.update(torch.linspace(0, 10, 101))  # from 0.5 to 9.5
    assert scale.value.item() == pytest.approx(0.75 + 0.25 * 9)
    scale = RunningScale(0.25)
    scale.update(torch.linspace(0, 0.1, 101))
    assert scale.value.item() == 1


def losses(model, batch):
    return model_loss(model, batch, Randomness(0)).parts


@pytest.mark.parametrize("target", ["target", "online"])
def test_target_critics_make_the_targets(target):
    """And the online ones do only where that is asked for."""
    model = make_model(target=target)
    batch = make_batch(model)
    before = losses(model, batch)
    for p in model.target_critics.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(0))
    after = losses(model, batch)
    assert (after["value"] != before["value"]).item() == (target == "target")
    assert after["reward"] == before["reward"]


def test_target_critics_follow():
    model = make_model(tau=0.25)
    wanted = [
        0.75 * t + 0.25 * o for t, o in zip(model.target_critics.parameters(), model.critics.parameters(), strict=True)
    ]
    model.update_target()
    for found, expected in zip(model.target_critics.parameters(), wanted, strict=True):
        torch.testing.assert_close(found.data, expected.data)


def test_equal_to_the_plain_version():
    from newt_plain import PlainNewt

    model = make_model()
    plain, learner, random = PlainNewt(model), Learner(model, Randomness(3)), Randomness(3)
    for k in range(3):
        batch = make_batch(model, 32, seed=k)
        ours, theirs = learner.update(batch), plain.update(batch, random)
        for name, value in theirs.items():
            torch.testing.assert_close(ours[name], value.detach(), rtol=2e-5, atol=1e-6)
    fresh = PlainNewt(model)
    for name in ("encoder", "dynamics", "reward_head", "policy", "critics", "targets"):
        for a, b in zip(getattr(fresh, name).parameters(), getattr(plain, name).parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=3e-5)  # a tenth of one step of Adam
    obs, task, previous = torch.randn(5, 128), torch.tensor([0, 1, 2, 1, 0]), torch.rand(3, 5, 16) - 0.5
    previous = previous * model.masks[task]
    for constraint in (0.0, 0.3, 1.0):
        found = plan(model, obs, task, previous, Randomness(5), constraint=constraint, explore=True)
        action, mean = fresh.plan(obs, task, previous, Randomness(5), constraint, True)
        torch.testing.assert_close(found.action, action, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(found.mean, mean, rtol=1e-4, atol=1e-4)


def test_the_policy_loss_moves_the_policy_only_and_the_model_loss_everything_else():
    model = make_model()
    batch = make_batch(model)
    loss = model_loss(model, batch, Randomness(0))
    loss.total.backward()
    moved = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    assert moved == {"encoder", "dynamics", "reward_head", "critics"}
    model.zero_grad()
    policy_loss(model, loss.latents, batch, RunningScale(0.01), Randomness(0))[0].backward()
    assert {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None} == {"policy"}


def test_cloning_reaches_the_encoder_and_supervision_can_be_left_out():
    model = make_model()
    batch = make_batch(model)
    plain, cloning = (model_loss(model, batch, Randomness(0), cloning=c) for c in (False, True))
    gradient = torch.autograd.grad(cloning.total - plain.total, model.encoder.layers[0].weight)[0]
    assert gradient.abs().max() > 0
    without = policy_loss(make_model(bc_coef=0.0), plain.latents, batch, RunningScale(0.01), Randomness(0))
    assert "supervision" not in without[1]
    within = policy_loss(model, plain.latents, batch, RunningScale(0.01), Randomness(0))
    torch.testing.assert_close(within[0], without[0] + within[1]["supervision"])


def test_pretraining_learns_to_imitate():
    model = make_model(entropy_coef=0.0, learning_rate=3e-3, spread=0.0)
    batch = make_batch(model, 32)
    action = torch.tanh(batch.obs[:3, :, :1]).expand(-1, -1, 16) * model.masks[batch.task]
    batch = Batch(batch.obs, action, batch.reward, batch.task)
    learner = Learner(model, Randomness(0))
    history = [learner.pretrain(batch)["cloning"].item() for _ in range(60)]
    assert history[-1] < 0.3 * history[0]
    assert learner.updates == 60


def test_warm_up_is_linear():
    model = make_model(warmup_updates=4, spread=0.0)
    learner = Learner(model, Randomness(0), warmup=True)
    rates = []
    for _ in range(5):
        learner.update(make_batch(model))
        rates.append([group["lr"] for group in learner._optimizer.param_groups[:2]])
    assert rates == [pytest.approx([f * 9e-5, f * 3e-4]) for f in (0.25, 0.5, 0.75, 1, 1)]


class Slices(Randomness):
    """One process's part of random numbers that are drawn for the whole batch."""

    def __init__(self, seed: int, rows: slice, joint: int) -> None:
        super().__init__(seed)
        self._rows, self._joint = rows, joint

    def normal(self, *shape: int):
        return super().normal(*shape[:-2], self._joint, shape[-1])[..., self._rows, :]


def _learn_in_a_process(rank: int, world: int, rendezvous: str, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=world)
    _learn(slice(8 * rank, 8 * rank + 8), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def _learn(rows: slice, file: Path) -> None:
    model = make_model(spread=0.05)
    learner = Learner(model, Slices(0, rows, 16))
    for k in range(3):
        b = make_batch(model, 16, seed=k)
        part = Batch(b.obs[:, rows], b.action[:, rows], b.reward[:, rows], b.task[rows])
        learner.pretrain(part) if k == 0 else learner.update(part)
    torch.save(model.state_dict(), file)


def test_two_processes_learn_as_one_with_the_joint_batch(tmp_path):
    multiprocessing.spawn(_learn_in_a_process, (2, str(tmp_path / "rendezvous"), str(tmp_path)), nprocs=2)
    _learn(slice(0, 16), tmp_path / "joint.pt")
    first, second, joint = (torch.load(tmp_path / f"{name}.pt") for name in ("0", "1", "joint"))
    for name, tensor in joint.items():
        assert torch.equal(first[name], second[name])
        torch.testing.assert_close(first[name], tensor, rtol=0, atol=3e-5)  # a tenth of one step of Adam
