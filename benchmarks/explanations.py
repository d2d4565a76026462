"""Explanations of the zoo's networks against autograd, zennit, captum and the rules' own equations.

Libraries that hook modules explain a copy of Deep in which every use of a layer is a module
(``unrolled.py``). Deep, and not Shallow, because no library has a rule for a layer that reads pixels and
hidden activations together. Before anything is timed, both sides' maps are compared.

Run with ``make bench`` or ``python benchmarks/explanations.py --help``.
"""

import argparse
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import unrolled
from timing import Times, Variant, arguments, clock_of, gemm_floor, interleaved, machine, show
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from rnnxai.explain.engine.plan import Plan
from rnnxai.explain.explainer import explain_batch
from rnnxai.explain.strategy import make_strategy
from rnnxai.models.build import build_model
from rnnxai.models.classifier import Classifier
from rnnxai.models.zoo import MODELS

STEPS, SIZE, CLASSES = 12, (28, 84), 10
LRP = "lrp-a1.5b0.5"
METHODS = ("sa", "gb", "dtd", LRP)
CHUNK = 200
STATIC = ("lenet", "mnist-cnn")
"""Networks that see the image at once."""
STEP_PRODUCT = "50 x 256 x 256, one step"


def network(architecture: str) -> Classifier:
    """Return a network with weights as drawn."""
    model = build_model(architecture, image_size=SIZE, steps=STEPS, classes=CLASSES)
    return model.eval()


def samples(count: int) -> tuple[Tensor, Tensor]:
    """Return random images and targets."""
    return torch.rand(count, 1, *SIZE) * 2 - 1, torch.randint(0, CLASSES, (count,))


class Own:
    """What is measured: maps of some methods, by chunks, as ``stages.explain`` asks for them.

    Parameters
    ----------
    model : Classifier
    methods : sequence of str
    bounds : tuple of float, optional
        Other bounds of the input than the model's.
    ledgers : bool
    """

    def __init__(
        self,
        model: Classifier,
        methods: Sequence[str] = METHODS,
        bounds: tuple[float, float] | None = None,
        ledgers: bool = False,
    ) -> None:
        self.plan = Plan(model, bounds or model.bounds)
        self.strategies = {name: make_strategy(name) for name in methods}
        self.ledgers = ledgers

    def __call__(self, images: Tensor, targets: Tensor) -> list[Tensor]:
        """Return the maps of each method, one under the other."""
        found: list[Tensor] = []
        for x, y in zip(images.split(CHUNK), targets.split(CHUNK), strict=True):
            _, maps = explain_batch(self.plan, x, y, self.strategies, ledgers=self.ledgers)
            found.append(torch.stack([maps[name].relevance for name in self.strategies]))
        return list(torch.cat(found, 1))


def passes(maps: Sequence[unrolled.Map], images: Tensor, targets: Tensor) -> list[Tensor]:
    """Return what several functions say, one after the other."""
    return [explain(images, targets) for explain in maps]


def check(name: str, found: Sequence[Tensor], right: Sequence[Tensor], tolerance: float = 1e-3) -> None:
    """Make sure that two sides' maps of a batch are the same, up to rounding and a library's stabilisers."""
    for a, b in zip(found, right, strict=True):
        error = float((a - b).norm() / b.norm())
        if not error <= tolerance:
            raise SystemExit(f"{name}: the maps differ by {error:.2g} of their norm, so no time is taken")


def compare(
    wanted: argparse.Namespace,
    count: int,
    sides: Mapping[str, Callable[[Tensor, Tensor], Any]],
    rounds: int | None = None,
) -> Times:
    """Time some functions on one batch."""
    images, targets = samples(count)
    variants = {name: Variant(partial(side, images, targets), count) for name, side in sides.items()}
    return interleaved(variants, rounds or wanted.rounds, clock_of(wanted))


def against_libraries(model: Classifier, wanted: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Compare with libraries and with the explicit form."""
    own = {name: Own(model, [name]) for name in METHODS}
    plus = Own(model, ["lrp-zplus"], (0.0, float("inf")))
    theirs = {
        "autograd": unrolled.saliency(model),
        "hooks": unrolled.guided(model),
        "zennit dtd": unrolled.zennit(model, 1, 0),
        "zennit lrp": unrolled.zennit(model, 1.5, 0.5),
        "captum gb": unrolled.captum_guided(model),
        "captum z+": unrolled.captum_z_plus(model),
        "explicit": unrolled.explicit(model, 1.5, 0.5),
    }
    images, targets = samples(20)
    several = ("autograd", "hooks", "zennit dtd", "zennit lrp")
    for name, method in (*zip(several, METHODS, strict=True), ("captum gb", "gb"), ("explicit", LRP)):
        check(name, own[method](images, targets), [theirs[name](images, targets)])
    positive = images.abs(), model(images.abs()).argmax(1)
    check("captum z+", plus(*positive), [theirs["captum z+"](*positive)], 0.05)
    rows = {}

    def row(title: str, count: int, ours: Any, other: Any, rounds: int | None = None) -> None:
        times = compare(wanted, count, {"library": other, "rnnxai": ours}, rounds)
        rows[f"{title}, batch {count}"] = {
            "library, samples/s": times.rate("library"),
            "rnnxai, samples/s": times.rate("rnnxai"),
            "times as fast": times.ratio("library", "rnnxai"),
        }

    for count in (1, 50, 1000):
        row(f"{LRP}, zennit", count, own[LRP], theirs["zennit lrp"])
    row("dtd, zennit", 50, own["dtd"], theirs["zennit dtd"])
    row("alpha 1 beta 0 in all layers, captum", 50, plus, theirs["captum z+"])
    row("gb, captum", 50, own["gb"], theirs["captum gb"])
    row("sa, autograd", 50, own["sa"], theirs["autograd"])
    row(f"{LRP}, explicit z_ij", 50, own[LRP], theirs["explicit"], 3)
    row(
        "four methods, a library pass each",
        1000,
        Own(model),
        partial(passes, [theirs[name] for name in several]),
        3,
    )
    return rows


def books(model: Classifier, wanted: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Compare the full ledger with sums alone."""
    rows = {}
    for count in (50, CHUNK):
        sides = {"sums": Own(model, [LRP]), "full": Own(model, [LRP], ledgers=True)}
        images, targets = samples(count)
        check("ledger", sides["full"](images, targets), sides["sums"](images, targets), 1e-6)
        times = compare(wanted, count, sides)
        rows[f"{LRP}, batch {count}"] = {
            "sums, samples/s": times.rate("sums"),
            "full ledger, samples/s": times.rate("full"),
            "time of the full / sums": times.ratio("full", "sums"),
        }
    return rows


class Operations(TorchDispatchMode):
    """Counts the floating point operations of matrix products and convolutions."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Do what was asked for, and count."""
        result = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.total += count(*args, **(kwargs or {}), out_val=result)
        return result


def floors(wanted: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Say how near each architecture comes to its matrix products and convolutions alone."""
    gemm = gemm_floor(3, clock_of(wanted))[STEP_PRODUCT].median
    rows = {}
    images, targets = samples(50)
    for name in (name for name in MODELS if name not in STATIC):
        model = network(name)
        own = Own(model)
        with Operations() as counted:
            own(images, targets)
        operations = counted.total / len(images)
        times = compare(wanted, 50, {"forward": partial(forward, model), "four": own}, 3)
        rate = times.rate("four")
        rows[name] = {
            "four methods, samples/s": rate,
            "forward passes": times.ratio("four", "forward"),
            "MFLOP a sample": operations / 1e6,
            f"share of {gemm:.0f} GFLOP/s": rate.median * operations / 1e9 / gemm,
        }
    return rows


@torch.no_grad()
def forward(model: Classifier, images: Tensor, targets: Tensor) -> Tensor:
    """Return the scores."""
    scores: Tensor = model(images)
    return scores


def main() -> None:
    """Measure and print."""
    wanted = arguments(__doc__).parse_args()
    warnings.filterwarnings("ignore", category=UserWarning, module="captum")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, about = network("deep"), machine("zennit", "captum")
    show(f"Deep, T = {STEPS}, against libraries", about, against_libraries(model, wanted), wanted.json)
    show(f"Deep, T = {STEPS}, with the books", about, books(model, wanted), wanted.json)
    show(
        f"The zoo, T = {STEPS}: {', '.join(METHODS)} in one pass, batch 50, against the forward pass and "
        f"against its products alone at the rate of {STEP_PRODUCT}",
        about,
        floors(wanted),
        wanted.json,
    )


if __name__ == "__main__":
    main()
