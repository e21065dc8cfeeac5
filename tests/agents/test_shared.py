"""Parts that agents share: closed forms, brute force, and the format of checkpoints."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import multiprocessing

from newt_bench.agents.shared import distributed
from newt_bench.agents.shared.activations import layer_norm_mish, mish, sim_norm
from newt_bench.agents.shared.checkpoints import (
    read_config,
    read_tensors,
    tensor_mismatches,
    write_tensors,
)
from newt_bench.agents.shared.conditioning import ConditioningBlock
from newt_bench.agents.shared.distributional import Bins, symexp, symlog
from newt_bench.agents.shared.gaussian import squashed_log_std, tanh_gaussian
from newt_bench.agents.shared.optimizers import descend, load_moments, moments
from newt_bench.agents.shared.perceptrons import perceptron
from newt_bench.agents.shared.randomness import Randomness
from newt_bench.agents.shared.settings import Settings
from newt_bench.agents.shared.statistics import RunningStatistics
from newt_bench.atomic import atomic_folder
from newt_bench.errors import AgentError


def test_symlog_and_its_inverse():
    assert symlog(torch.tensor([0.0, math.e - 1, 1 - math.e])).tolist() == pytest.approx([0, 1, -1])
    x = torch.linspace(-1000, 1000, 501)
    torch.testing.assert_close(symexp(symlog(x)), x, rtol=1e-5, atol=1e-5)


def test_two_hot_is_the_nearest_two_bins():
    bins = Bins(5, -2.0, 2.0)
    target = bins.two_hot(symexp(torch.tensor([-2.0, -0.75, 0.0, 1.9, 2.0, 9.0, -9.0])))
    expected = [
        [1, 0, 0, 0, 0],
        [0, 0.75, 0.25, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0.1, 0.9],
        [0, 0, 0, 0, 1],
        [0, 0, 0, 0, 1],
        [1, 0, 0, 0, 0],
    ]
    torch.testing.assert_close(target, torch.tensor(expected), rtol=0, atol=1e-6)


def test_read_out_inverts_two_hot():
    x = torch.linspace(-500, 500, 1001)
    torch.testing.assert_close(Bins().mean(torch.log(Bins().two_hot(x))), x, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(Bins().mean(torch.zeros(3, 101)), torch.zeros(3), rtol=0, atol=1e-5)


def test_cross_entropy_is_least_at_the_target():
    bins, x = Bins(), torch.tensor([0.3, -7.0])
    target = bins.two_hot(x)
    entropy = -(target * torch.log(target.clamp(min=1e-30))).sum(-1)
    torch.testing.assert_close(bins.cross_entropy(torch.log(target.clamp(min=1e-30)), target), entropy)
    assert (bins.cross_entropy(torch.zeros(2, 101), target) > entropy).all()
    assert bins.cross_entropy(torch.zeros(2, 101), target).tolist() == pytest.approx([math.log(101)] * 2)


def test_mish_with_one_exponential():
    x = torch.cat((torch.linspace(-60, 120, 2001), torch.tensor([-1e4, 1e4])))
    error = (mish(x) - torch.nn.functional.mish(x)).abs()
    assert (error <= 2.5e-7 * x.abs().clamp(min=1)).all()  # a rounding error of the input


def test_layer_norm_mish_and_its_gradient():
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(7, 3, 16, generator=generator), *(3 * torch.randn(2, 16, generator=generator))]
    upstream = torch.randn(7, 3, 16, generator=generator)

    def gradients(function):
        leaves = [x.clone().requires_grad_() for x in inputs]
        out = function(*leaves)
        out.backward(upstream)
        return [out.detach(), *(leaf.grad for leaf in leaves)]

    plain = gradients(lambda x, w, b: torch.nn.functional.mish(torch.nn.functional.layer_norm(x, (16,), w, b)))
    for ours, theirs in zip(gradients(layer_norm_mish), plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(layer_norm_mish(*inputs), plain[0], rtol=1e-6, atol=1e-6)


def test_sim_norm_by_hand():
    out = sim_norm(torch.tensor([[0.0, 1.0, math.log(3), 1.0]]), group=2)
    torch.testing.assert_close(out, torch.tensor([[0.25, 0.5, 0.75, 0.5]]))


def test_randomness_goes_on_from_a_saved_state():
    stream = Randomness((1, 2))
    stream.normal(3), stream.two_of(5)
    state = stream.state()
    wanted = (stream.normal(4), stream.uniform(2), stream.two_of(5), stream.host.integers(10, size=4))
    other = Randomness(9)
    other.load_state(state)
    got = (other.normal(4), other.uniform(2), other.two_of(5), other.host.integers(10, size=4))
    for a, b in zip(wanted, got, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not torch.equal(Randomness((1, 2)).normal(8), Randomness((1, 3)).normal(8))


def test_two_of_draws_every_ordered_pair_alike():
    stream = Randomness(0)
    pairs, counts = np.unique([stream.two_of(4) for _ in range(6000)], axis=0, return_counts=True)
    assert len(pairs) == 12
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert counts == pytest.approx([500] * 12, abs=100)
    assert stream.two_of(1) == (0, 0)


def _average_in_a_process(rank: int, world: int, rendezvous: str, folder: str) -> None:
    torch.distributed.init_process_group("gloo", f"file://{rendezvous}", rank=rank, world_size=world)
    parameters = [torch.nn.Parameter(torch.zeros(2, 3)), torch.nn.Parameter(torch.zeros(4))]
    for p in parameters:
        p.grad = torch.full_like(p, float(rank + 1))
    distributed.average_gradients([*parameters, torch.nn.Parameter(torch.zeros(1))])
    shares = distributed.share(["a", "b", "c", "d", "e"])
    torch.save((shares, [p.grad for p in parameters]), Path(folder) / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_processes_average_gradients_and_share_tasks(tmp_path):
    arguments = (3, str(tmp_path / "rendezvous"), str(tmp_path))
    multiprocessing.spawn(_average_in_a_process, arguments, nprocs=3)
    results = [torch.load(tmp_path / f"{rank}.pt") for rank in range(3)]
    assert [shares for shares, _ in results] == [("a", "d"), ("b", "e"), ("c",)]
    for _, gradients in results:
        assert all((g == 2).all() for g in gradients)


def test_alone_nothing_is_averaged():
    assert distributed.rank_and_world() == (0, 1)
    assert distributed.share([1, 2]) == (1, 2)
    assert distributed.average_(torch.ones(2)).tolist() == [1, 1]


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_is_refused_unread(tmp_path):
    file = tmp_path / "weights.safetensors"
    file.write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(AgentError, match="not a safetensors file and was not read"):
        read_tensors(file)
    (tmp_path / "model.pt").write_bytes(pickle.dumps(Payload(tmp_path / "ran")))
    with pytest.raises(AgentError, match=r"no config.json; model.pt there is not read, as it may hold code"):
        read_config(tmp_path, "any")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", ["{", "[]", '{"format": "other"}'])
def test_wrong_configurations_are_named(tmp_path, content):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(AgentError, match=r"is not JSON|another kind"):
        read_config(tmp_path, "ours")


def test_a_folder_changes_as_a_whole(tmp_path):
    folder = tmp_path / "deep" / "checkpoint"
    with atomic_folder(folder) as path:
        write_tensors(path / "a.safetensors", {"x": torch.ones(2, 3).T})
    assert torch.equal(read_tensors(folder / "a.safetensors")["x"], torch.ones(3, 2))
    with pytest.raises(RuntimeError), atomic_folder(folder) as path:
        (path / "half").touch()
        raise RuntimeError
    assert [p.name for p in folder.iterdir()] == ["a.safetensors"]
    with atomic_folder(folder) as path:
        (path / "config.json").write_text('{"format": "ours"}')
    assert [p.name for p in folder.parent.iterdir()] == ["checkpoint"]
    folder.replace(folder.parent / ".checkpoint-previous")  # as if the machine had stopped between the renames
    assert read_config(folder, "ours") == {"format": "ours"}


def test_statistics_are_those_of_all_rows_of_a_task():
    rng = np.random.default_rng(0)
    rows, task = rng.normal(3, 2, (90, 5)).astype(np.float32), rng.integers(2, size=90)
    rows[:, 4] = 0  # padding
    statistics = RunningStatistics(3, 5, epsilon=1e-3)
    for part in np.array_split(np.arange(90), 7):
        statistics.update(torch.from_numpy(rows[part]), torch.from_numpy(task[part]))
    for k in range(2):
        np.testing.assert_allclose(statistics.mean[k], rows[task == k].mean(0), rtol=1e-6, atol=1e-12)
        np.testing.assert_allclose(statistics.variance[k], rows[task == k].var(0), rtol=1e-5, atol=1e-12)
    assert statistics.count.tolist() == [(task == 0).sum(), (task == 1).sum(), 0]
    index = torch.from_numpy(task)
    scaled = statistics.normalize(torch.from_numpy(rows), index, clip=2.5)
    assert (scaled[:, 4] == 0).all()
    own = scaled[index == 1][:, :4]
    assert own.mean().item() == pytest.approx(0, abs=0.05)
    assert own.abs().max() <= 2.5
    unseen = statistics.normalize(torch.from_numpy(rows), index * 0 + 2, clip=100)
    torch.testing.assert_close(unseen, torch.from_numpy(rows))


def test_density_of_masked_actions_integrates_to_one():
    """Over the valid entry alone, by quadrature; masked entries are 0 and without gradient."""
    mask = torch.tensor([1.0, 0.0, 0.0])
    mean, raw = (torch.full((3,), v, requires_grad=True) for v in (0.4, -0.6))
    noise = torch.linspace(-9, 9, 4001).unsqueeze(-1).expand(-1, 3)
    draw = tanh_gaussian(mean, squashed_log_std(raw, -5, 2), noise, mask)
    assert torch.trapezoid(draw.log_prob.exp(), draw.action[:, 0]).item() == pytest.approx(1, abs=1e-3)
    assert (draw.action[:, 1:] == 0).all()
    assert draw.mean.tolist() == pytest.approx([math.tanh(0.4), 0, 0])
    draw.log_prob.sum().backward()
    for leaf in (mean, raw):
        assert leaf.grad[0] != 0
        assert (leaf.grad[1:] == 0).all()
    low, high = squashed_log_std(torch.tensor([-50.0, 50.0]), -5, 2)
    assert (low, high) == (-5, 2)


def test_conditioning_scales_embeddings_and_tells_tasks_apart():
    generator = torch.Generator().manual_seed(0)
    table = 15 * torch.nn.functional.normalize(torch.randn(3, 512, generator=generator))
    block = ConditioningBlock("language", table, generator=generator)
    out = block(torch.tensor([2, 0, 2]))
    assert out.shape == (3, 64)
    assert torch.equal(out[0], out[2])
    torch.testing.assert_close(block.table.square().mean(1), torch.ones(3))
    assert out.square().mean().sqrt().item() == pytest.approx(1, abs=0.2)
    assert not block.table.requires_grad
    assert ConditioningBlock("none", table)(torch.tensor([1])).shape == (1, 0)
    rows = ConditioningBlock("one-hot", table, width=5, generator=generator)
    assert torch.equal(rows(torch.tensor([1]))[0], rows.table[1])


def test_moments_go_on_and_what_lacks_is_named():
    parameters = {name: torch.nn.Parameter(torch.ones(2)) for name in ("a", "b", "idle")}
    optimizer = torch.optim.Adam(parameters.values())
    assert moments(optimizer, parameters) == {}
    assert descend(optimizer, 3 * parameters["a"].sum() + 4 * parameters["b"].sum()).item() == pytest.approx(50**0.5)
    state = moments(optimizer, parameters)
    assert sorted(state) == sorted(f"{n}.{k}" for n in "ab" for k in ("step", "exp_avg", "exp_avg_sq"))
    others = {name: torch.nn.Parameter(torch.ones(2)) for name in parameters}
    other = torch.optim.Adam(others.values())
    load_moments(other, others, state)
    for name, value in moments(other, others).items():
        assert torch.equal(value, state[name])
    del state["a.step"]
    state["b.exp_avg"] = torch.zeros(3)
    with pytest.raises(AgentError, match=r"another shape: a\.step, b\.exp_avg$"):
        load_moments(other, others, state)


def test_gradients_are_clipped():
    parameter = torch.nn.Parameter(torch.zeros(2))
    assert descend(torch.optim.SGD([parameter], 1.0), parameter @ torch.tensor([3.0, 4.0]), 1.0).item() == 5
    assert parameter.tolist() == pytest.approx([-0.6, -0.8])


def test_perceptrons_start_as_asked():
    net = perceptron(3, (8, 8), 2, torch.Generator().manual_seed(0), activation="tanh", orthogonal_gains=(2, 0.5))
    first, last = net[0].weight, net[-1].weight
    torch.testing.assert_close(first.T @ first, 4 * torch.eye(3))
    torch.testing.assert_close(last @ last.T, 0.25 * torch.eye(2))
    assert [type(layer).__name__ for layer in net] == ["Linear", "Tanh", "Linear", "Tanh", "Linear"]
    plain = perceptron(100, (4000,), 1, torch.Generator().manual_seed(0), norm=True)
    assert plain[0].weight.abs().max().item() == pytest.approx(0.1, abs=1e-4)
    assert plain[0].weight.std().item() == pytest.approx(0.1 / 3**0.5, rel=0.01)


@dataclasses.dataclass(frozen=True)
class Sample(Settings):
    number: float = 1.0
    count: int | None = None
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    widths: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        super().__post_init__()
        self.at_least(1, "count")


def test_settings_go_through_json():
    settings = Sample.from_options({"number": 3, "count": 2, "widths": [4]})
    assert settings == Sample(3, 2, widths=(4,))
    assert Sample.from_options(json.loads(json.dumps(settings.to_dict()))) == settings


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"number": "x"}, "number must be a number, not 'x'"),
        ({"count": True}, "count must be an integer or None, not True"),
        ({"count": 0}, "count must be at least 1, not 0"),
        ({"kind": "c"}, "kind must be one of a, b, not 'c'"),
        ({"flag": 1}, "flag must be true or false, not 1"),
        ({"widths": [1, "x"]}, r"widths must be a list, each entry an integer, not \(1, 'x'\)"),
        ({"other": 1}, r"no setting 'other'; see .*Sample for all"),
    ],
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(AgentError, match=message):
        Sample.from_options(options)


def test_mismatches_are_all_named():
    expected = {"a": torch.zeros(2), "b": torch.zeros(2), "c": torch.zeros(1)}
    found = {"a": torch.zeros(3), "c": torch.zeros(1, dtype=torch.float64), "d": torch.zeros(1)}
    assert tensor_mismatches(expected, found) == [
        "b is missing",
        "d is not known",
        "a is float32[3], not float32[2]",
        "c is float64[1], not float32[1]",
    ]
