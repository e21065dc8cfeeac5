"""Values as distributions, learned by classification.

`Bins` spreads scalars over bins that are even in symlog space (TD-MPC2, arXiv 2310.16828), `Support` holds
distributions of returns over evenly spaced atoms (C51, arXiv 1707.06887).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["Bins", "Support", "cross_entropy", "symexp", "symlog"]


def symlog(x: Tensor) -> Tensor:
    """Signed logarithm, sign(x) ln(1 + |x|): the identity near 0, a logarithm far from it."""
    return torch.sign(x) * torch.log1p(torch.abs(x))


def symexp(x: Tensor) -> Tensor:
    """Inverse of `symlog`."""
    return torch.sign(x) * torch.expm1(torch.abs(x))


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits (..., count) with probabilities that broadcast to them: shape (...)."""
    return -(target * torch.log_softmax(logits, -1)).sum(-1)


class Bins(nn.Module):
    """Evenly spaced bins in symlog space. Holds no parameters.

    Args:
        count: Number of bins.
        low: Symlog value of the first.
        high: Symlog value of the last.
    """

    centers: Tensor

    def __init__(self, count: int = 101, low: float = -10.0, high: float = 10.0) -> None:
        super().__init__()
        self.count, self.low, self.high = count, low, high
        self.register_buffer("centers", torch.linspace(low, high, count), persistent=False)

    def two_hot(self, x: Tensor) -> Tensor:
        """Spreads scalars over their two neighbouring bins, so that the mean over bins is the scalar's symlog.

        Args:
            x: Scalars of any shape (...); values beyond the range count as its ends.

        Returns:
            Weights of shape (..., count) that sum to 1.
        """
        position = (symlog(x).clamp(self.low, self.high) - self.low) * ((self.count - 1) / (self.high - self.low))
        lower = position.floor().clamp(0, self.count - 2)
        upper_weight = (position - lower).unsqueeze(-1)
        index = lower.long().unsqueeze(-1)
        target = torch.zeros((*x.shape, self.count), dtype=x.dtype, device=x.device)
        target.scatter_(-1, index, 1 - upper_weight)
        return target.scatter_(-1, index + 1, upper_weight)

    def cross_entropy(self, logits: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy of logits with a distribution over bins.

        Args:
            logits: Shape (..., count).
            target: From `two_hot`, broadcastable to the logits.

        Returns:
            Shape (...).
        """
        return cross_entropy(logits, target)

    def mean(self, logits: Tensor) -> Tensor:
        """The scalars that logits of shape (..., count) stand for: symexp of the expected bin; shape (...)."""
        return symexp(torch.softmax(logits, -1) @ self.centers)


class Support(nn.Module):
    """Evenly spaced atoms z_0 < ... < z_(count - 1), on which returns are distributed. Holds no parameters.

    Args:
        count: Number of atoms.
        low: The first.
        high: The last.
    """

    atoms: Tensor

    def __init__(self, count: int = 101, low: float = -10.0, high: float = 10.0) -> None:
        super().__init__()
        self.count, self.low, self.high = count, low, high
        self.register_buffer("atoms", torch.linspace(low, high, count), persistent=False)

    def mean(self, logits: Tensor) -> Tensor:
        """The expected returns that logits of shape (..., count) stand for: shape (...)."""
        return torch.softmax(logits, -1) @ self.atoms

    def shifted(self, shift: Tensor, factor: Tensor) -> Tensor:
        """Where a Bellman backup moves the atoms: shift + factor z, clipped to the support.

        Args:
            shift: Shape (...).
            factor: Shape (...).

        Returns:
            Shape (..., count).
        """
        return torch.addcmul(shift.unsqueeze(-1), factor.unsqueeze(-1), self.atoms).clamp_(self.low, self.high)

    def project(self, probabilities: Tensor, places: Tensor) -> Tensor:
        """Brings mass from any places of the support back to its atoms (C51's projection).

        Mass between two atoms goes to both in proportion to nearness, mass on an atom stays whole: the sum and the mean
        are preserved.

        Args:
            probabilities: Shape (..., count).
            places: Where they are, within the support, of the same shape. From `shifted`.

        Returns:
            Probabilities of the atoms, shape (..., count).
        """
        position = (places - self.low) * ((self.count - 1) / (self.high - self.low))
        # The last atom counts as the upper neighbour, so that an upper neighbour always exists.
        lower = position.floor().clamp_(0, self.count - 2)
        upper_mass = probabilities * (position - lower)
        index = lower.long()
        projected = torch.zeros_like(probabilities).scatter_add_(-1, index, probabilities - upper_mass)
        return projected.scatter_add_(-1, index + 1, upper_mass)
