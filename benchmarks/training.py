"""Training: stacks of folds against a plain loop over single networks, for all ten recurrent architectures.

What is compared, per network and step of 50 sequences (12 steps of 28 x 7 pixels):

- ``loader``: a plain loop (``plain_networks.py``), ordinary dropout and Adam, batches from a DataLoader
- ``memory``: the same, batches from tensors in memory; all ratios are to this one
- ``K=1``, ``K=7``: this project, single networks and stacks of seven
- ``shared``: stacks of seven whose folds share masks
- ``bfloat16``: stacks of seven computed in bfloat16; ``both``: with shared masks

Both sides are checked first to compute the same loss and gradient, in float64, with equal weights and no
masks. The floor is the time of the plain network's matrix products at the rate that stacks of seven reach
here, or of the bare convolutions in the layout that suits them best; ``floor/K=7`` is its share of a step.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from plain_networks import copy_weights, plain_network
from timing import Spread, Variant, arguments, clock_of, gemm_floor, interleaved, machine, show
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from rnnxai.memory import keep_freed_memory
from rnnxai.models.build import build_model
from rnnxai.models.pixels import to_input
from rnnxai.models.products import choose_products
from rnnxai.models.zoo import MODELS
from rnnxai.training.batches import Pixels
from rnnxai.training.run import Run
from rnnxai.training.settings import TrainSettings
from rnnxai.training.step import Step
from rnnxai.training.streams import generators

STEPS, PIXELS, CLASSES, SAMPLES, BATCH = 12, 28 * 7, 10, 2000, 50
STACKS: dict[str, tuple[int, dict[str, Any]]] = {
    "K=1": (1, {}),
    "K=7": (7, {}),
    "shared": (7, {"shared_masks": True}),
    "bfloat16": (7, {"precision": "bfloat16"}),
    "both": (7, {"precision": "bfloat16", "shared_masks": True}),
}
RECURRENT = [name for name in MODELS if name not in ("lenet", "mnist-cnn")]
PRODUCTS = "7 folds of it"  # the shape of timing.SHAPES whose rate the floor is taken at


class Convolved(NamedTuple):
    """Convolutions of one kind in a step: how many, and their sizes."""

    times: int
    images: int
    channels: tuple[int, int]
    kernel: int
    size: tuple[int, int]
    to_input: bool  # whether the gradient goes on to what is convolved


PIXELS_CONVOLVED = Convolved(1, STEPS * BATCH, (1, 24), 5, (28, 7), to_input=False)
CONVOLUTIONS = {
    "conv-": (PIXELS_CONVOLVED, Convolved(1, STEPS * BATCH, (24, 32), 3, (14, 4), to_input=True)),
    "conv-plus-": (
        PIXELS_CONVOLVED,
        Convolved(STEPS - 1, BATCH, (24, 24), 5, (28, 7), to_input=True),
        Convolved(STEPS, BATCH, (56, 32), 3, (14, 4), to_input=True),
    ),
}


def stack(architecture: str, folds: int, pixels: Pixels, **settings: Any) -> Step:
    """Return the step of a stack."""
    names = list(range(folds))
    chosen = TrainSettings(**settings)
    model = build_model(
        architecture,
        image_size=(28, 84),
        steps=STEPS,
        classes=CLASSES,
        generators=generators(0, names, "initialisation"),
    )
    return Step(Run(model.train(), names, chosen, "cpu"), pixels)


def loss_of(plain: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Return the mean loss with the logit for none of the classes, as in the thesis."""
    logits = plain(x)
    return cross_entropy(torch.cat([logits, logits.new_zeros(len(x), 1)], 1), labels)


def plain_step(plain: nn.Module, optimiser: torch.optim.Adam, x: Tensor, labels: Tensor) -> None:
    """Make a step of a plain network."""
    optimiser.zero_grad()
    loss_of(plain, x, labels).backward()
    optimiser.step()


def check(architecture: str, pixels: Pixels) -> None:
    """Compare losses and gradients of a stack of two with those of two plain networks, in float64."""
    model = stack(architecture, 2, pixels).run.model.double().eval()
    patches, labels = pixels.take(torch.arange(20).view(2, 10))
    logits = model.classify(patches.double())
    for k in range(2):
        plain = plain_network(architecture, PIXELS).double().eval()
        copy_weights(model, k, plain)
        right = loss_of(plain, patches[k].double().transpose(0, 1), labels[k])
        with_none = torch.cat([logits[k], logits.new_zeros(10, 1)], 1)
        found = cross_entropy(with_none, labels[k])
        torch.testing.assert_close(found, right, rtol=1e-12, atol=0)
        model.zero_grad()
        found.backward(retain_graph=True)
        right.backward()
        for name, layer in model.affine_layers().items():
            ours = layer.weight.grad
            theirs = plain.get_submodule(_named(plain, name)).get_parameter("weight").grad
            assert ours is not None
            torch.testing.assert_close(ours[k], theirs, rtol=1e-9, atol=1e-12)


def _named(plain: nn.Module, name: str) -> str:
    last = name.rpartition(".")[2]
    paths: list[str] = [path for path, _ in plain.named_modules()]
    return next(path for path in paths if path.rpartition(".")[2] == last)


def plain_variants(architecture: str, x: Tensor, labels: Tensor, steps: int) -> dict[str, Variant]:
    """Return the plain loop with and without a DataLoader."""
    variants = {}
    for kind in ("loader", "memory"):
        plain = plain_network(architecture, PIXELS).train()
        optimiser = torch.optim.Adam(plain.parameters(), lr=2e-4)
        batches = from_loader(x, labels) if kind == "loader" else from_memory(x, labels)

        def some_steps(
            plain: nn.Module = plain,
            optimiser: torch.optim.Adam = optimiser,
            batches: Iterator[tuple[Tensor, Tensor]] = batches,
        ) -> None:
            for _ in range(steps):
                plain_step(plain, optimiser, *next(batches))

        variants[kind] = Variant(some_steps, steps)
    return variants


def from_loader(x: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches as a DataLoader without workers makes them."""
    loader = DataLoader(TensorDataset(x, labels), BATCH, shuffle=True)
    while True:
        yield from loader


def from_memory(x: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches cut out of tensors."""
    while True:
        for rows in torch.randperm(SAMPLES).view(-1, BATCH):
            yield x[rows], labels[rows]


def stack_variants(architecture: str, pixels: Pixels, steps: int) -> dict[str, Variant]:
    """Return the stacks; their work is counted in steps of one fold."""
    variants = {}
    for name, (folds, settings) in STACKS.items():
        step = stack(architecture, folds, pixels, **settings)
        rows = torch.randint(0, SAMPLES, (folds, BATCH))
        times = max(1, steps // folds)
        variants[name] = Variant(partial(_repeat, step, rows, times), times * folds)
    return variants


def _repeat(step: Step, rows: Tensor, times: int) -> None:
    for _ in range(times):
        step(rows)


def convolutions_alone(architecture: str) -> Variant | None:
    """Return the bare convolutions of a step of one network, both ways, or None if it has none."""
    kind = next((kind for kind in ("conv-plus-", "conv-") if architecture.startswith(kind)), None)
    if kind is None:
        return None
    calls = []
    for times, images, (inputs, outputs), kernel, size, to_input_too in CONVOLUTIONS[kind]:
        x, g = (_channels_last(torch.randn(images, c, *size)) for c in (inputs, outputs))
        weight, bias = _channels_last(torch.randn(outputs, inputs, kernel, kernel)), torch.randn(outputs)
        margin = [kernel // 2] * 2
        way = [margin, [1, 1], False, [0, 0], 1]
        mask = [to_input_too, True, True]
        forward = partial(torch.nn.functional.conv2d, x, weight, bias, padding=margin)
        backward = partial(
            torch.ops.aten.convolution_backward, g, x, weight, [outputs], [1, 1], *way, output_mask=mask
        )
        calls += [forward, backward] * times
    return Variant(lambda: [call() for call in calls])


def _channels_last(x: Tensor) -> Tensor:
    n, c, h, w = x.shape
    return x.view(n, h, w, c).permute(0, 3, 1, 2)  # the values are random anyway


def flops(architecture: str, x: Tensor, labels: Tensor) -> float:
    """Count the operations of a plain network's products in a step, both ways."""
    plain = plain_network(architecture, PIXELS)
    with FlopCounterMode(display=False) as counter:
        loss_of(plain, x[:BATCH], labels[:BATCH]).backward()
    return float(counter.get_total_flops())


def main() -> None:
    """Measure and print."""
    parser = arguments(__doc__, rounds=3)
    parser.add_argument("--architectures", nargs="+", choices=RECURRENT, default=RECURRENT)
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    keep_freed_memory()  # for the plain loop too
    torch.manual_seed(0)
    clock = clock_of(wanted)
    pixels = Pixels(
        torch.randint(0, 256, (SAMPLES, STEPS, PIXELS), dtype=torch.uint8),
        torch.randint(0, CLASSES, (SAMPLES,)),
    )
    x = to_input(pixels.patches)
    rates = {"default": gemm_floor(wanted.rounds, clock)}
    for architecture in wanted.architectures:  # with torch's own products: the others are not for float64
        check(architecture, pixels)
    products = choose_products()
    rates[products] = gemm_floor(wanted.rounds, clock)
    rate = rates[products][PRODUCTS].median
    rows: dict[str, dict[str, object]] = {}
    for architecture in wanted.architectures:
        steps = 7 if architecture.startswith("conv") else 14
        alone = convolutions_alone(architecture)
        variants = plain_variants(architecture, x, pixels.labels, steps)
        variants |= stack_variants(architecture, pixels, steps)
        if alone is not None:
            variants["floor"] = alone
        times = interleaved(variants, wanted.rounds, clock)
        rows[architecture] = {"memory, ms": 1e3 * Spread.of(times.seconds["memory"]).median}
        for name in ("loader", *STACKS):
            rows[architecture][name] = times.ratio("memory", name)
        if alone is None:
            least = flops(architecture, x, pixels.labels) / (1e9 * rate)
            share = Spread.of([least / seconds for seconds in times.seconds["K=7"]])
        else:
            share = times.ratio("floor", "K=7")
        rows[architecture]["floor/K=7"] = share
    about = machine() | {"products": products}
    show(
        "Matrix products in float32, GFLOP/s",
        about,
        {name: {choice: rate[name] for choice, rate in rates.items()} for name in rates["default"]},
        wanted.json,
    )
    title = "Times faster than the plain loop with tensors in memory, per network and step"
    show(title, about, rows, wanted.json)


if __name__ == "__main__":
    main()
