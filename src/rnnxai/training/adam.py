"""Adam with a constant learning rate, whose state stays at fixed places in memory."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Adam:
    """What ``torch.optim.Adam(fused=True)`` does, by the same function of torch.

    The class of torch loads torch's compiler, for a second in which a job could train, and replaces its
    state where it is restored, under the feet of a CUDA graph.

    Parameters
    ----------
    weights : Mapping of str to Parameter
        By name.
    learning_rate : float

    Attributes
    ----------
    state : dict of str to Tensor
        Moments and number of steps, as ``{what}.{name of the weight}``.
    """

    def __init__(self, weights: Mapping[str, Parameter], learning_rate: float) -> None:
        self.weights = dict(weights)
        self.learning_rate = learning_rate
        self.state: dict[str, Tensor] = {}
        for name, weight in self.weights.items():
            self.state[f"mean.{name}"] = torch.zeros_like(weight, requires_grad=False)
            self.state[f"square.{name}"] = torch.zeros_like(weight, requires_grad=False)
            self.state[f"step.{name}"] = torch.zeros((), device=weight.device)

    @torch.no_grad()
    def step(self) -> None:
        """Move every weight that has a gradient."""
        moved = {name: weight for name, weight in self.weights.items() if weight.grad is not None}
        adam(
            list(moved.values()),
            [weight.grad for weight in moved.values() if weight.grad is not None],
            [self.state[f"mean.{name}"] for name in moved],
            [self.state[f"square.{name}"] for name in moved],
            [],
            [self.state[f"step.{name}"] for name in moved],
            fused=True,
            capturable=any(weight.is_cuda for weight in moved.values()),
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take over the values of a state."""
        for name, value in self.state.items():
            value.copy_(state[name])
