"""Newt's maths written down plainly: the yardstick for `benchmarks/newt.py`, and a check on the fast version.

Every layer is a stock PyTorch module on concatenated inputs; all critics are evaluated one by one and two of them
picked afterwards; the planner computes everything anew in every iteration. Random numbers are drawn in the same
order as by the fast version, so that both give the same results up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from newt_bench.agents.newt.losses import Batch
from newt_bench.agents.newt.model import WorldModel
from newt_bench.agents.newt.networks import MLP, Layer
from newt_bench.agents.shared.distributional import symexp, symlog
from newt_bench.agents.shared.randomness import Randomness


class SimNorm(nn.Module):
    """Softmax over groups whose members are width/group apart."""

    def __init__(self, group: int) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        groups = x.view(*x.shape[:-1], self.group, -1).transpose(-1, -2)
        return torch.softmax(groups, -1).transpose(-1, -2).reshape(x.shape)


def plain_mlp(mlp: MLP, main: int, head: int | None = None) -> nn.Sequential:
    """A stack of stock modules with the weights of one MLP; its input is (first `main` columns, task, the rest)."""
    modules: list[nn.Module] = []
    for i, layer in enumerate(mlp.layers):
        assert isinstance(layer, Layer)

        def part(tensor: Tensor) -> Tensor:
            return tensor.detach() if head is None else tensor.detach()[head]

        weight = part(layer.weight)
        if i == 0 and layer.task_weight is not None:
            weight = torch.cat((weight[:, :main], part(layer.task_weight), weight[:, main:]), 1)
        linear = nn.Linear(weight.shape[1], weight.shape[0], device=weight.device)
        linear.weight.data, linear.bias.data = weight.clone(), part(layer.bias).clone()
        modules.append(linear)
        if layer.norm_weight is not None and layer.norm_bias is not None:
            norm = nn.LayerNorm(len(weight), device=weight.device)
            norm.weight.data, norm.bias.data = part(layer.norm_weight).clone(), part(layer.norm_bias).clone()
            last = i == len(mlp.layers) - 1
            modules += [norm, SimNorm(mlp.sim_norm_group) if last and mlp.sim_norm_group else nn.Mish()]
    return nn.Sequential(*modules)


class PlainNewt:
    """A copy of a world model, with plain networks and optimisers. States only."""

    def __init__(self, model: WorldModel) -> None:
        self.config, self.masks, self.discounts = model.config, model.masks, model.discounts
        self.embeddings = model.embeddings
        latent = self.config.dims.latent_dim
        self.encoder = plain_mlp(model.encoder, 128)
        self.dynamics = plain_mlp(model.dynamics, latent)
        self.reward_head = plain_mlp(model.reward_head, latent)
        self.policy = plain_mlp(model.policy, latent)
        heads = range(self.config.dims.num_q)
        self.critics = nn.ModuleList(plain_mlp(model.critics, latent, head) for head in heads)
        self.targets = nn.ModuleList(plain_mlp(model.target_critics, latent, head) for head in heads)
        self.bins = torch.linspace(
            -self.config.bin_range, self.config.bin_range, self.config.bins, device=self.masks.device
        )
        self.scale = torch.ones((), device=self.masks.device)
        rate = self.config.learning_rate
        groups = [{"params": self.encoder.parameters(), "lr": rate * self.config.encoder_lr_scale}]
        nets = (self.dynamics, self.reward_head, self.critics)
        groups += [{"params": net.parameters(), "lr": rate} for net in nets]
        self.optimizer = torch.optim.Adam(groups)
        self.policy_optimizer = torch.optim.Adam(self.policy.parameters(), rate, eps=1e-5)

    def mean(self, logits: Tensor) -> Tensor:
        return symexp((torch.softmax(logits, -1) * self.bins).sum(-1))

    def cross_entropy(self, logits: Tensor, x: Tensor) -> Tensor:
        step = self.bins[1] - self.bins[0]
        distance = (symlog(x).clamp(self.bins[0], self.bins[-1]).unsqueeze(-1) - self.bins).abs() / step
        return -((1 - distance).clamp(min=0) * torch.log_softmax(logits, -1)).sum(-1)

    def act(self, z: Tensor, task: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Action and scaled entropy."""
        low, high, mask = self.config.log_std_min, self.config.log_std_max, self.masks[task]
        mean, raw = self.policy(torch.cat((z, self._e(z, task)), -1)).chunk(2, -1)
        log_std = (low + 0.5 * (high - low) * (torch.tanh(raw) + 1)) * mask
        normal = torch.distributions.Normal(mean * mask, log_std.exp())
        u = mean * mask + noise * mask * log_std.exp()
        return torch.tanh(u), -normal.log_prob(u).sum(-1) * mask.sum(-1)

    def q(self, critics: nn.ModuleList, z: Tensor, action: Tensor, task: Tensor) -> Tensor:
        """Logits of all critics."""
        x = torch.cat((z, self._e(z, task), action), -1)
        return torch.stack([critic(x) for critic in critics])

    def step(self, net: nn.Module, z: Tensor, action: Tensor, task: Tensor) -> Tensor:
        out: Tensor = net(torch.cat((z, self._e(z, task), action), -1))
        return out

    def encode(self, obs: Tensor, task: Tensor) -> Tensor:
        z: Tensor = self.encoder(torch.cat((obs, self._e(obs, task)), -1))
        return z

    def update(self, batch: Batch, random: Randomness) -> dict[str, Tensor]:
        config, task, horizon = self.config, batch.task, len(batch.action)
        rho = torch.tensor([config.rho**t for t in range(horizon + 1)], device=batch.obs.device)
        rho = rho / rho.sum()
        with torch.no_grad():
            following = [self.encode(obs, task) for obs in batch.obs[1:]]
            stacked = torch.stack(following)
            noise = random.normal(*stacked.shape[:-1], 16)
            two = list(random.two_of(config.dims.num_q))
            q = self.mean(self.q(self.targets, stacked, self.act(stacked, task, noise)[0], task))[two]
            target = batch.reward + self.discounts[task] * q.amin(0)
        z = [self.encode(batch.obs[0], task)]
        consistency = reward = value = self.scale * 0
        for t in range(horizon):
            q_logits = self.q(self.critics, z[t], batch.action[t], task)
            value = value + rho[t] * self.cross_entropy(q_logits, target[t]).mean(1).mean()
            logits = self.step(self.reward_head, z[t], batch.action[t], task)
            reward = reward + rho[t] * self.cross_entropy(logits, batch.reward[t]).mean()
            z.append(self.step(self.dynamics, z[t], batch.action[t], task))
            consistency = consistency + rho[t] * (z[t + 1] - following[t]).square().mean()
        total = config.consistency_coef * consistency + config.reward_coef * reward + config.value_coef * value
        self._descend(self.optimizer, total)
        self.critics.requires_grad_(False)
        policy = self._policy_loss(torch.stack(z).detach(), batch, rho, random)
        self._descend(self.policy_optimizer, policy)
        self.critics.requires_grad_(True)
        for mine, theirs in zip(self.targets.parameters(), self.critics.parameters(), strict=True):
            mine.data.lerp_(theirs.data, config.tau)
        return {"consistency": consistency, "reward": reward, "value": value, "policy": policy}

    @torch.no_grad()
    def plan(
        self, obs: Tensor, task: Tensor, previous: Tensor, random: Randomness, constraint: float, explore: bool
    ) -> tuple[Tensor, Tensor]:
        """Action and mean plan."""
        config, mask = self.config, self.masks[task]
        n, p, slots, horizon = config.num_samples, config.num_policy_samples, len(task), len(previous)
        z0 = self.encode(obs, task)
        z, prior = z0.repeat(p, 1, 1), []
        for _ in range(horizon):
            prior.append(self.act(z, task, random.normal(p, slots, 16))[0])
            z = self.step(self.dynamics, z, prior[-1], task)
        rollouts = torch.stack(prior)
        limits = (config.min_std, config.max_std)
        mean = constraint * rollouts.mean(1) + (1 - constraint) * previous
        std = constraint * rollouts.std(1).clamp(*limits) + (1 - constraint) * config.max_std
        for _ in range(config.iterations):
            noise = random.normal(horizon, n - p, slots, 16)
            drawn = (mean[:, None] + std[:, None] * noise).clamp(-1, 1) * mask
            actions = torch.cat((rollouts, drawn), 1)
            z, values, discount = z0.repeat(n, 1, 1), z0.new_zeros(n, slots), z0.new_ones(slots)
            for a in actions:
                values = values + discount * self.mean(self.step(self.reward_head, z, a, task))
                z, discount = self.step(self.dynamics, z, a, task), discount * self.discounts[task]
            last, _ = self.act(z, task, random.normal(n, slots, 16))
            two = list(random.two_of(config.dims.num_q))
            values = values + discount * self.mean(self.q(self.critics, z, last, task))[two].mean(0)
            values = values.nan_to_num(0, 0, 0)
            best, index = values.topk(config.num_elites, 0)
            weights = (config.temperature * (best - best.amax(0))).exp()
            weights = weights / weights.sum(0)
            elites = actions.gather(1, index[None, ..., None].expand(horizon, -1, -1, 16))
            mean = (weights[..., None] * elites).sum(1) * mask
            spread = (weights[..., None] * (elites - mean[:, None]) ** 2).sum(1).sqrt()
            std = spread.clamp(*limits) * mask
        gumbel = -torch.log(-torch.log1p(-random.uniform(*weights.shape)))
        chosen = (torch.log(weights) + gumbel).argmax(0)
        action = elites[0, chosen, torch.arange(slots)]
        if explore:
            action = action + std[0] * random.normal(slots, 16)
        return action.clamp(-1, 1), mean

    def _policy_loss(self, z: Tensor, batch: Batch, rho: Tensor, random: Randomness) -> Tensor:
        config, task = self.config, batch.task
        action, entropy = self.act(z, task, random.normal(*z.shape[:-1], 16))
        two = list(random.two_of(config.dims.num_q))
        q = self.mean(self.q(self.critics, z, action, task))[two].mean(0)
        span = torch.quantile(q[0].detach(), 0.95) - torch.quantile(q[0].detach(), 0.05)
        self.scale = self.scale + config.tau * (span.clamp(min=1) - self.scale)
        loss = (rho[:, None] * (-config.entropy_coef * entropy - q / self.scale)).sum(0)
        mask = self.masks[task]
        error = ((action[:-1] - batch.action) ** 2 * mask).sum(-1) / mask.sum(-1)
        return (loss + config.bc_coef * (rho[:-1, None] * error).sum(0)).mean()

    def _descend(self, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, self.config.max_grad_norm)
        optimizer.step()

    def _e(self, like: Tensor, task: Tensor) -> Tensor:
        """The embeddings of the tasks for every row."""
        return self.embeddings[task].expand(*like.shape[:-1], -1)
