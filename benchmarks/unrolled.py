"""Deep as libraries that hook modules can explain it: a module of its own for every use of a layer.

What the benchmarks of explanations compare with: torch's autograd, zennit and captum on such a copy, and the
rules written as their equations are, every message in a matrix.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from captum.attr import LRP, GuidedBackprop
from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, IdentityRule
from torch import Tensor, nn

from rnnxai.data._torchvision import import_datasets
from rnnxai.models.classifier import Classifier

import_datasets()  # zennit needs a torchvision that can be imported

from zennit.rules import AlphaBeta, Pass, ZBox  # noqa: E402

Map = Callable[[Tensor, Tensor], Tensor]
"""From images and targets to relevance."""


class Unrolled(nn.Module):
    """A copy of Deep without shared modules.

    Parameters
    ----------
    model : Classifier
        Deep, of one fold.
    """

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.steps = model.steps
        layers = model.affine_layers()
        uses = {"encoder": self.steps, "hidden": self.steps, "recurrent": self.steps - 1}
        for name, layer in layers.items():
            self.add_module(name, nn.ModuleList(_linear(layer) for _ in range(uses.get(name, 1))))
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(sum(uses.values()) + 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        """Classify images (N, 1, H, W)."""
        relus = iter(self.relus)
        patches = [patch.flatten(1) for patch in images.chunk(self.steps, -1)]
        h: Tensor | None = None
        for t, x in enumerate(patches):
            e = next(relus)(self.use("encoder", t)(x))
            r = e.new_zeros(len(e), 256) if h is None else next(relus)(self.use("recurrent", t - 1)(h))
            h = next(relus)(self.use("hidden", t)(torch.cat([e, r], 1)))
        logits: Tensor = self.use("output", 0)(next(relus)(self.use("decoder", 0)(h)))
        return logits

    def use(self, layer: str, number: int) -> nn.Module:
        """Return the module of one use of a layer."""
        return cast(nn.ModuleList, self.get_submodule(layer))[number]

    def replace(self, layer: str, make: Callable[[nn.Linear], nn.Module]) -> None:
        """Put other modules in place of a layer's."""
        uses = cast(nn.ModuleList, self.get_submodule(layer))
        self.add_module(layer, nn.ModuleList(make(cast(nn.Linear, use)) for use in uses))

    def gradient(self, images: Tensor, targets: Tensor, *, relevance: bool = False) -> Tensor:
        """Return the gradient of the targets' scores, or what hooks make of their positive part."""
        x = images.detach().requires_grad_()
        scores = self(x)
        start = torch.zeros_like(scores).scatter_(1, targets[:, None], 1)
        if relevance:
            start = start * scores.detach().clamp(min=0)
        (arrived,) = torch.autograd.grad([scores], [x], [start])
        return arrived


def saliency(model: Classifier) -> Map:
    """Return sensitivity analysis by autograd."""
    net = Unrolled(model)
    return lambda images, targets: net.gradient(images, targets).square()


def guided(model: Classifier) -> Map:
    """Return guided backpropagation by backward hooks on ReLUs."""
    net = Unrolled(model)
    for relu in net.relus:
        relu.register_full_backward_hook(_stop_negative)
    return lambda images, targets: net.gradient(images, targets).square()


def _stop_negative(module: nn.Module, sent: Any, arrived: Any) -> Any:
    return (sent[0].clamp(min=0),)


def captum_guided(model: Classifier) -> Map:
    """Return guided backpropagation by captum."""
    method = GuidedBackprop(Unrolled(model))
    return lambda images, targets: method.attribute(images.clone(), target=targets).detach().square()


def captum_z_plus(model: Classifier) -> Map:
    """Return the alpha 1 beta 0 rule of captum in all layers, which starts from the score."""
    net = Unrolled(model)

    def explain(images: Tensor, targets: Tensor) -> Tensor:
        for module in net.modules():  # captum takes the rules off again
            if isinstance(module, nn.Linear):
                module.rule = Alpha1_Beta0_Rule(set_bias_to_zero=True)
            elif isinstance(module, nn.ReLU):
                module.rule = IdentityRule()
        relevance: Tensor = LRP(net).attribute(images.clone(), target=targets)
        return relevance.detach()

    return explain


def zennit(model: Classifier, alpha: float, beta: float) -> Map:
    """Return the alpha-beta rule by zennit, with z^B at the pixels."""
    net = Unrolled(model)
    for name, module in net.named_modules():
        if isinstance(module, nn.ReLU):
            Pass().register(module)
        elif name.startswith("encoder."):
            ZBox(*model.bounds, zero_params="bias").register(module)
        elif isinstance(module, nn.Linear):
            AlphaBeta(alpha, beta, zero_params="bias").register(module)
    return lambda images, targets: net.gradient(images, targets, relevance=True)


def explicit(model: Classifier, alpha: float, beta: float) -> Map:
    """Return the alpha-beta rule as its equation is written: z_ij = x_i w_ij, for every sample."""
    net = Unrolled(model)
    net.relus = nn.ModuleList(PassingReLU() for _ in net.relus)
    for name in model.affine_layers():
        bounds = model.bounds if name == "encoder" else None
        net.replace(name, lambda layer, bounds=bounds: Explicit(layer, alpha, beta, bounds))  # type: ignore[misc]
    return lambda images, targets: net.gradient(images, targets, relevance=True)


class PassingReLU(nn.Module):
    """A ReLU that hands relevance on."""

    def forward(self, z: Tensor) -> Tensor:
        """Clip z."""
        y: Tensor = _PassingReLU.apply(z)  # type: ignore[no-untyped-call]
        return y


class Explicit(nn.Module):
    """A linear layer that divides relevance by messages in a matrix.

    Parameters
    ----------
    layer : Linear
    alpha, beta : float
    bounds : tuple of float, optional
        Of pixels, which take the z^B rule.
    """

    def __init__(
        self, layer: nn.Linear, alpha: float, beta: float, bounds: tuple[float, float] | None
    ) -> None:
        super().__init__()
        self.layer = layer
        self.alpha, self.beta, self.bounds = alpha, beta, bounds

    def forward(self, x: Tensor) -> Tensor:
        """Return the weighted sums."""
        z: Tensor = _Explicit.apply(x, self)  # type: ignore[no-untyped-call]
        return z


class _PassingReLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        return z.relu()

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> Tensor:
        return relevance


class _Explicit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Explicit) -> Tensor:
        ctx.save_for_backward(x)
        ctx.rule = rule
        return nn.functional.linear(x, rule.layer.weight, rule.layer.bias)

    @staticmethod
    def backward(ctx: Any, relevance: Tensor) -> tuple[Tensor | None, ...]:
        (x,) = ctx.saved_tensors
        rule, w, held = ctx.rule, ctx.rule.layer.weight, relevance[:, :, None]
        z = x[:, None] * w
        if rule.bounds is not None:
            low, high = rule.bounds
            z = z - low * w.clamp(min=0) - high * w.clamp(max=0)
            messages = z / z.sum(2, keepdim=True) * held
        else:
            messages = torch.zeros_like(z)
            for factor, part in ((rule.alpha, z.clamp(min=0)), (-rule.beta, z.clamp(max=0))):
                if factor:
                    total = part.sum(2, keepdim=True)
                    messages += factor * part / torch.where(total == 0, 1, total) * held
        return messages.sum(1), None


def _linear(layer: Any) -> nn.Linear:
    weight, offset = layer.weight.detach()[0], layer.offset().detach()[0]
    copy = nn.Linear(weight.shape[1], weight.shape[0])
    copy.weight.data, copy.bias.data = weight.clone(), offset.clone()
    return copy
