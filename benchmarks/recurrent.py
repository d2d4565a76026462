"""LRP-0 through ``nn.LSTM``, against gradient x input of the same module by torch's own function.

They are not the same map: LRP-0 takes gates as constants and activations as f(z) / z z. So before anything is
timed, LRP-0 is compared in float64 with gradient x input of that frozen network, computed here step by step,
and the engine's own gradient x input with torch's.

Run with ``make bench`` or ``python benchmarks/recurrent.py --help``.
"""

from functools import partial
from typing import cast

import torch
from timing import Variant, arguments, clock_of, interleaved, machine, show
from torch import Tensor, nn

import rnnxai
from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy

INPUTS, CLASSES = 32, 10
SIZES = ((50, 12, 256), (50, 100, 64), (50, 100, 256), (200, 50, 128), (1, 100, 256))
"""Batch, steps, units."""


class Network(nn.Module):
    """An LSTM whose last hidden state is classified."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(INPUTS, units, batch_first=True)
        self.head = nn.Linear(units, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Classify x (N, T, inputs)."""
        logits: Tensor = self.head(self.lstm(x)[0][:, -1])
        return logits


def gradient_times_input(network: nn.Module, x: Tensor, targets: Tensor) -> Tensor:
    """Return x times the gradient of the target's score, by torch."""
    x = x.detach().requires_grad_()
    score = network(x).gather(1, targets[:, None]).sum()
    return torch.autograd.grad(score, x)[0] * x.detach()


def frozen(network: Network, x: Tensor) -> Tensor:
    """Return the scores of the network with gates and the slopes f(z) / z held constant."""
    lstm = network.lstm
    w_x, w_h, b_x, b_h = (cast(Tensor, weight) for weight in lstm.all_weights[0])
    h = c = x.new_zeros(len(x), lstm.hidden_size)
    for step in x.unbind(1):
        i, f, z, o = (step @ w_x.T + h @ w_h.T + b_x + b_h).chunk(4, 1)
        i, f, o = (gate.sigmoid().detach() for gate in (i, f, o))
        c = f * c + i * (z * (z.tanh() / z).detach())
        h = o * (c * (c.tanh() / c).detach())
    logits: Tensor = network.head(h)
    return logits


def lrp_0(plan: Plan, x: Tensor, targets: Tensor) -> Tensor:
    """Return the engine's map."""
    return explain_batch(plan, x, targets, {"lrp-0": make_strategy("lrp-0")})[1]["lrp-0"].relevance


def check(network: Network, x: Tensor, targets: Tensor) -> None:
    """Make sure that both sides compute what they are said to."""
    network, x = network.double(), x[:5].double()
    targets = targets[:5]
    start = x.requires_grad_()
    score = frozen(network, start).gather(1, targets[:, None]).sum()
    right = torch.autograd.grad(score, start)[0] * x.detach()
    x = x.detach()
    torch.testing.assert_close(lrp_0(Plan(network, None), x, targets), right, rtol=1e-6, atol=1e-12)
    own = rnnxai.explain(network, x, targets, "taylor")
    torch.testing.assert_close(own, gradient_times_input(network, x, targets), rtol=1e-6, atol=1e-12)
    network.float()


def main() -> None:
    """Measure and print."""
    wanted = arguments(__doc__, rounds=7).parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = {}
    for batch, steps, units in SIZES:
        network = Network(units).eval()
        x, targets = torch.randn(batch, steps, INPUTS), torch.randint(0, CLASSES, (batch,))
        check(network, x, targets)
        times = interleaved(
            {
                "gradient": Variant(partial(gradient_times_input, network, x, targets), batch),
                "LRP-0": Variant(partial(lrp_0, Plan(network, None), x, targets), batch),
            },
            wanted.rounds,
            clock_of(wanted),
        )
        rows[f"batch {batch}, T = {steps}, {units} units"] = {
            "gradient x input, samples/s": times.rate("gradient"),
            "LRP-0, samples/s": times.rate("LRP-0"),
            "time of LRP-0 / gradient": times.ratio("LRP-0", "gradient"),
        }
    show("LRP-0 through nn.LSTM against gradient x input of the same module", machine(), rows, wanted.json)


if __name__ == "__main__":
    main()
