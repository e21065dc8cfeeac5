"""Files in the layout of the published checkpoints: converted, checked by an independent evaluation, refused."""

from __future__ import annotations

import itertools
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from newt_bench.agents.newt import NewtAgent
from newt_bench.agents.newt.checkpoint_import import import_checkpoint
from newt_bench.errors import AgentError
from tests.agents.newt.conftest import TASKS

ENC, MLP, LATENT, HEADS = 16, 24, 32, 3


def released(width=512, features=0, tasks=TASKS) -> dict[str, torch.Tensor]:
    """A model state in the release's layout, at random."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, torch.Tensor] = {}

    def random(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(shape, generator=generator)

    def net(prefix: str, widths: list[int], norm_last: bool) -> None:
        for i, (a, b) in enumerate(itertools.pairwise(widths)):
            state[f"{prefix}.{i}.weight"], state[f"{prefix}.{i}.bias"] = random(b, a), random(b)
            if i < len(widths) - 2 or norm_last:
                state[f"{prefix}.{i}.ln.weight"], state[f"{prefix}.{i}.ln.bias"] = 1 + random(b), random(b)

    net("_encoder.state", [128 + width + features, ENC, LATENT], True)
    net("_dynamics", [LATENT + width + 16, MLP, MLP, LATENT], True)
    net("_reward", [LATENT + width + 16, MLP, MLP, 101], False)
    net("_pi", [LATENT + width, MLP, MLP, 32], False)
    for kind in ("online", "target"):
        for head in range(HEADS):
            net(f"_Qs.{kind}._Qs.{head}", [LATENT + width + 16, MLP, MLP, 101], False)
    if width:
        state["_task_emb.weight"] = random(len(tasks), width)
        dims = torch.tensor([[t.action_dim] for t in tasks])
        state["_action_masks"] = (torch.arange(16)[None] < dims).float()
    state["log_std_min"], state["log_std_dif"] = torch.tensor(-10.0), torch.tensor(12.0)
    return state


def evaluate(state: dict[str, torch.Tensor], prefix: str, x: torch.Tensor) -> torch.Tensor:
    """Evaluates a network of the release with stock functions: members of a SimNorm group side by side."""
    depth = len({name.split(".")[len(prefix.split("."))] for name in state if name.startswith(f"{prefix}.")})
    for i in range(depth):
        x = nn.functional.linear(x, state[f"{prefix}.{i}.weight"], state[f"{prefix}.{i}.bias"])
        if f"{prefix}.{i}.ln.weight" not in state:
            return x
        x = nn.functional.layer_norm(x, x.shape[-1:], state[f"{prefix}.{i}.ln.weight"], state[f"{prefix}.{i}.ln.bias"])
        x = nn.functional.mish(x) if i < depth - 1 else torch.softmax(x.view(*x.shape[:-1], -1, 8), -1).flatten(-2)
    return x


@pytest.mark.parametrize("wrap", ["bare", "whole", "module"])
def test_converted_models_compute_the_same(tmp_path, wrap):
    state, file = released(), tmp_path / "soup-tiny.pt"
    content = {"module." + k: v for k, v in state.items()} if wrap == "module" else state
    if wrap != "bare":
        optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(2))])
        content = {"model": content, "optim": optimizer.state_dict(), "pi_optim": {}, "scale": {"value": torch.ones(1)}}
    torch.save(content, file)
    import_checkpoint(file, tmp_path / "checkpoint", TASKS)
    model = NewtAgent.load(tmp_path / "checkpoint", TASKS, device="cpu").model
    task, generator = torch.tensor([0, 1, 2, 1]), torch.Generator().manual_seed(1)
    obs, a = torch.randn(4, 128, generator=generator), torch.rand(4, 16, generator=generator)
    e, context = state["_task_emb.weight"][task], model.context(task)
    z = evaluate(state, "_encoder.state", torch.cat((obs, e), 1))
    ours = model.encode(obs, context)
    # Members of a group lie 32/8 apart in ours.
    torch.testing.assert_close(ours, z.view(4, -1, 8).transpose(1, 2).flatten(1))
    following = evaluate(state, "_dynamics", torch.cat((z, e, a), 1))
    torch.testing.assert_close(model.next(ours, a, context), following.view(4, -1, 8).transpose(1, 2).flatten(1))
    x = torch.cat((z, e, a), 1)
    torch.testing.assert_close(model.reward_logits(ours, a, context), evaluate(state, "_reward", x))
    torch.testing.assert_close(
        model.policy(ours, context["policy"]), evaluate(state, "_pi", torch.cat((z, e), 1)), rtol=1e-5, atol=1e-5
    )
    for kind, net in (("online", "critics"), ("target", "target_critics")):
        wanted = torch.stack([evaluate(state, f"_Qs.{kind}._Qs.{h}", x) for h in range(HEADS)])
        found = getattr(model, net)(torch.cat((ours, a), 1), context[net])
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


def test_single_task_and_pixels(tmp_path):
    torch.save(released(width=0, tasks=TASKS[:1]), tmp_path / "single.pt")
    import_checkpoint(tmp_path / "single.pt", tmp_path / "single", TASKS[:1])
    agent = NewtAgent.load(tmp_path / "single", TASKS[:1], device="cpu")
    assert agent.texts.name is None
    assert np.isfinite(agent.act(np.zeros((1, 128), np.float32), np.array([0]), np.array([True]), "eval")).all()
    state = released(features=768)
    torch.save(state, tmp_path / "pixels.pt")
    import_checkpoint(tmp_path / "pixels.pt", tmp_path / "pixels", TASKS)
    agent = NewtAgent.load(tmp_path / "pixels", TASKS, device="cpu")
    assert agent.config.pixels
    obs, features = torch.randn(1, 128), torch.randn(1, 768)
    z = evaluate(state, "_encoder.state", torch.cat((obs, state["_task_emb.weight"][1:2], features), 1))
    ours = agent.model.encode(torch.cat((obs, features), 1), agent.model.context(torch.tensor([1])))
    torch.testing.assert_close(ours, z.view(1, -1, 8).transpose(1, 2).flatten(1))


def test_every_mismatch_is_named(tmp_path):
    state = released()
    del state["_pi.1.bias"], state["_Qs.target._Qs.2.0.ln.weight"]
    state["_reward.2.weight"] = state["_reward.2.weight"][:99]
    state["_dynamics.1.bias"] = state["_dynamics.1.bias"].double()
    state["_termination.0.weight"] = torch.zeros(1)
    state["_action_masks"][1, 5] = 0
    torch.save(state, tmp_path / "wrong.pt")
    with pytest.raises(AgentError) as caught:
        import_checkpoint(tmp_path / "wrong.pt", tmp_path / "out", TASKS)
    for words in (
        "_pi.1.bias is missing",
        "_Qs.target._Qs.2.0.ln.weight is missing",
        "_termination.0.weight is not known",
        "_reward.2.weight has shape [99, 24], not [101, 24]",
        "_dynamics.1.bias is torch.float64",
        "_action_masks has 5 actions for walker-run, not 6",
    ):
        assert words in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_the_number_of_tasks_must_be_right(tmp_path):
    torch.save(released(), tmp_path / "soup.pt")
    with pytest.raises(AgentError, match=r"_task_emb.weight has shape \[3, 512\], not \[2, 512\]"):
        import_checkpoint(tmp_path / "soup.pt", tmp_path / "out", TASKS[:2])


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("writer", ["torch", "pickle"])
def test_code_is_not_run(tmp_path, writer):
    file, content = tmp_path / "evil.pt", {"model": Payload(tmp_path / "ran")}
    torch.save(content, file) if writer == "torch" else file.write_bytes(pickle.dumps(content))
    with pytest.raises(AgentError, match="not a PyTorch file of tensors alone and was not read"):
        import_checkpoint(file, tmp_path / "out", TASKS)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [({"model": 3}, "no dictionary of tensors"), ([1], "no dictionary"), ({"x": torch.ones(1)}, "it lacks _encoder")],
)
def test_other_files_are_named(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(AgentError, match=message):
        import_checkpoint(tmp_path / "other.pt", tmp_path / "out", TASKS)
    with pytest.raises(AgentError, match=r"missing\.pt is missing"):
        import_checkpoint(tmp_path / "missing.pt", tmp_path / "out", TASKS)
