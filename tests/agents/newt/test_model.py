"""Networks: sizes, hoisting, heads, mask and the policy's density."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from newt_bench.agents.newt import SIZES, NewtConfig
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.newt.networks import _run_stacked, _stack
from newt_bench.errors import AgentError
from tests.agents.newt.conftest import make_agent, make_model


@pytest.mark.parametrize(("size", "count"), [("S", 2_143_284), ("B", 7_261_566), ("L", 20_356_734), ("XL", 81_591_240)])
def test_parameter_counts_at_200_tasks(size, count):
    with torch.device("meta"):
        config = NewtConfig(size=size).resolved(200)
        model = WorldModel(config, torch.zeros(200, 512, device="meta"), [6] * 200, [0.99] * 200)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == count
    parts = {name: sum(p.numel() for p in net.parameters()) for name, net in model.named_children()}
    if size == "B":
        assert (parts["encoder"], parts["dynamics"], parts["reward_head"]) == (297_216, 1_061_376, 849_509)
        assert (parts["policy"], parts["critics"], parts["target_critics"]) == (805_920, 4_247_545, 4_247_545)


def test_initial_weights():
    config = NewtConfig(size="S").resolved(2)
    model = WorldModel(config, torch.ones(2, 512), [1, 2], [0.9, 0.9], torch.Generator().manual_seed(0))
    for name, p in model.named_parameters():
        last = name in ("reward_head.layers.2.weight", "critics.layers.2.weight", "target_critics.layers.2.weight")
        if name.endswith("norm_weight"):
            assert (p == 1).all()
        elif "bias" in name or last:
            assert (p == 0).all()
        else:
            assert p.std().item() == pytest.approx(0.02, rel=0.05)
    for mine, theirs in zip(model.target_critics.parameters(), model.critics.parameters(), strict=True):
        assert torch.equal(mine, theirs)
        assert not mine.requires_grad


def test_tasks_in_few_rows_or_many_give_the_same_context():
    model = make_model()
    task = torch.tensor([2, 0, 1, 1, 0])
    for name in ("dynamics", "critics"):
        net = getattr(model, name)
        many, few = net.context(model.embeddings, task), net.context(model.embeddings, task[:2])
        torch.testing.assert_close(many[..., :2, :], few)


def test_some_heads_are_those_of_all():
    model, generator = make_model(), torch.Generator().manual_seed(0)
    task = torch.tensor([0, 1, 2, 1])
    z, action = torch.rand(2, 4, 32, generator=generator), torch.rand(2, 4, 16, generator=generator)
    context = model.context(task)
    everything = model.bins.mean(model.q_logits(z, action, context))
    torch.testing.assert_close(model.q(z, action, context, (2, 0)), everything[[2, 0]])
    stacked = _run_stacked(
        [layer.tensors() for layer in model.critics.layers], torch.cat((z, action), -1), context["critics"]
    )
    torch.testing.assert_close(stacked, model.q_logits(z, action, context), rtol=1e-5, atol=1e-5)


def test_some_heads_leave_parameters_without_gradient():
    model = make_model()
    z = torch.rand(4, 32).requires_grad_()
    model.q(z, torch.rand(4, 16), model.context(torch.zeros(4, dtype=torch.long)), (1, 2)).sum().backward()
    assert z.grad.abs().max() > 0
    assert all(p.grad is None for p in model.parameters())


def test_gradients_for_actions_alone_are_those_for_everything():
    model = make_model()
    context = model.context(torch.tensor([0, 1, 2]))
    z, action = torch.rand(2, 3, 32), torch.rand(2, 3, 16).requires_grad_()
    alone = torch.autograd.grad(model.q(z, action, context, (2, 1)).sum(), action)[0]
    everything = torch.autograd.grad(model.q(z.requires_grad_(), action, context, (2, 1)).sum(), action)[0]
    torch.testing.assert_close(alone, everything)
    layers = [layer.some_heads((2, 1)) for layer in model.critics.layers]
    first = functional.linear(z, layers[0][0].weight[:, :32]) + context["critics"][2]
    second = functional.linear(z, layers[0][1].weight[:, :32]) + context["critics"][1]
    stacked = _run_stacked([_stack(layer) for layer in layers], action, torch.stack((first, second)))
    torch.testing.assert_close(model.bins.mean(stacked), model.q(z, action, context, (2, 1)), rtol=1e-5, atol=1e-5)


def test_a_forked_context_gives_the_same_steps():
    model, generator = make_model(), torch.Generator().manual_seed(0)
    z, action = torch.rand(3, 32, generator=generator), torch.rand(5, 3, 16, generator=generator)
    context = model.context(torch.tensor([0, 1, 2]))
    forked = context.fork(z)
    repeated = z.expand(5, -1, -1)
    torch.testing.assert_close(model.next(None, action, forked), model.next(repeated, action, context))
    torch.testing.assert_close(model.reward(None, action, forked), model.reward(repeated, action, context))


def test_latents_are_distributions_by_group():
    model = make_model()
    z = model.encode(torch.randn(3, 128), model.context(torch.tensor([0, 1, 2])))
    torch.testing.assert_close(z.view(3, 8, 4).sum(1), torch.ones(3, 4))


def test_masked_actions_are_zero_and_have_no_gradient():
    model, task = make_model(), torch.tensor([0, 1, 2])
    context = model.context(task)
    mask = context.mask.bool()
    assert mask.sum(1).tolist() == [1, 6, 2]
    sample = model.act(torch.rand(3, 32), context, torch.randn(3, 16))
    assert (sample.action[~mask] == 0).all()
    assert (sample.mean[~mask] == 0).all()
    (sample.action.sum() + sample.log_prob.sum() + sample.scaled_entropy.sum()).backward()
    last = model.policy.layers[-1]
    used = torch.zeros(16, dtype=torch.bool)
    used[:6] = True
    assert (last.weight.grad.view(2, 16, -1)[:, ~used] == 0).all()
    assert (last.weight.grad.view(2, 16, -1)[:, used].abs().amax(-1) > 0).all()


def test_the_policys_density_integrates_to_one():
    """One action; masked entries add a constant, ln N(0; 0, 1) each, and nothing by the tanh but ln(1 + 1e-6)."""
    model = make_model()
    context, z = model.context(torch.tensor([0])), torch.rand(1, 32)
    noise = torch.zeros(20_001, 1, 16)
    noise[:, 0, 0] = torch.linspace(-8, 8, 20_001)
    sample = model.act(z.expand(20_001, 1, 32), context, noise)
    action, density = sample.action[:, 0, 0].double(), (sample.log_prob[:, 0] + 15 * 0.5 * math.log(2 * math.pi)).exp()
    assert torch.trapezoid(density.double(), action).item() == pytest.approx(1, abs=2e-3)


def test_scaled_entropy_counts_all_16_entries():
    model, noise = make_model(), torch.randn(3, 16)
    context = model.context(torch.tensor([0, 1, 2]))
    z = torch.rand(3, 32)
    sample = model.act(z, context, noise)
    _, raw = model.policy(z, context["policy"]).chunk(2, -1)
    std = (-10 + 6 * (torch.tanh(raw) + 1)).exp()
    log_density = torch.distributions.Normal(0, std).log_prob(noise * std) * context.mask
    constant = torch.distributions.Normal(0, 1).log_prob(torch.zeros(3, 16)) * (1 - context.mask)
    count = context.mask.sum(-1)
    torch.testing.assert_close(sample.scaled_entropy, -count * (log_density + constant).sum(-1))


def test_conditioning_changes_the_embeddings_only():
    widths = {c: make_agent(conditioning=c).model.embeddings.shape for c in ("language", "one-hot", "none")}
    assert widths == {"language": (3, 512), "one-hot": (3, 3), "none": (3, 0)}
    assert make_agent(normalize_language=True).model.embeddings.norm(dim=1).tolist() == pytest.approx([1] * 3)
    single = make_agent(make_agent().tasks[:1])
    assert single.config.conditioning == "none"
    assert single.config.constrained_planning is False
    assert make_agent().config.constrained_planning is True


def test_defaults_by_number_of_tasks():
    assert NewtConfig().resolved(1).dims == SIZES["B"]
    assert NewtConfig().resolved(2).dims == SIZES["L"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sise": "B"}, "no setting 'sise'"),
        ({"size": "M"}, "size must be one of S, B, L, XL"),
        ({"replay_sampling": "all"}, "replay_sampling must be one of"),
        ({"network": {**SIZES["S"].__dict__, "latent_dim": 30}}, "not a multiple"),
        ({"num_elites": 1000}, "num_elites <= num_samples"),
        ({"horizon": 0}, "horizon must be at least 1"),
    ],
)
def test_settings_that_cannot_be(options, message):
    with pytest.raises(AgentError, match=message):
        NewtConfig.from_options(options)


def test_settings_survive_json():
    config = NewtConfig(network=SIZES["S"], tau=0.5)
    assert NewtConfig.from_options(config.to_dict()) == config
