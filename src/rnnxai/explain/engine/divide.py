"""How the relevance of a layer's units is divided by their denominators."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import NamedTuple

import torch
from torch import Tensor

from rnnxai.explain.channels import Channel
from rnnxai.explain.engine.layer import Layer
from rnnxai.explain.engine.parts import Part, PartStep, add_up


class Division(NamedTuple):
    """How a layer's relevance is divided.

    Attributes
    ----------
    quotients : list of Tensor
        Share times relevance over denominator, for each channel; 0 where the denominator is empty.
    spread : Tensor or None
        Relevance per unit of mass from empty denominators, in the shape that the layer's map gathers. None
        where no denominator is empty, as in most layers, so that nobody asks for masses.
    kept : Mapping[str, Tensor]
        What stays in the layer, by column of the ledger.
    """

    quotients: list[Tensor]
    spread: Tensor | None
    kept: Mapping[str, Tensor]


def divide(
    layer: Layer,
    channels: Sequence[Channel],
    parts: Sequence[Part | PartStep],
    z: Tensor,
    relevance: Tensor,
) -> Division:
    """Divide the relevance of a layer's units by their denominators, exactly at 0/0 too.

    A unit whose denominator in a channel is empty (it has no positive input, say) still owes that
    channel's share. It is spread over the inputs it reads by their *mass*: over pixels as high - low each,
    wherever they stand between their bounds, over inputs that may be anything evenly, and over hidden
    activations in proportion to their magnitude. For the alpha-beta rule this is the limit of weights
    clipped at a vanishing epsilon (max(w, eps) and min(w, -eps) in place of max(w, 0) and min(w, 0)), with
    one exception: in a layer that reads both kinds with beta > 0, the limit would count hidden activations
    (alpha + beta)-fold beside the pixels, and here they count once. A unit whose inputs have no mass can
    pay nobody; what it holds is dropped.

    Parameters
    ----------
    layer : Layer
    channels : sequence of Channel
    parts : sequence of Part or PartStep
        All inputs of the layer.
    z, relevance : Tensor
        The layer's output, and what its units hold.

    Returns
    -------
    Division
    """
    quotients = []
    kept: dict[str, Tensor] = {}
    owed: Tensor | None = None
    for channel in channels:
        bias = layer.bias_part(channel.bias)
        denominator = z
        if not channel.divides_by_output:
            denominator = add_up([part.sums(channel) for part in parts] + ([] if bias is None else [bias]))
        share = relevance if channel.share == 1 else relevance * channel.share
        if channel.units != "all":
            share = share * ((z >= 0) if channel.units == "positive" else (z < 0))
        if channel.stabiliser:
            stabiliser = channel.stabiliser * torch.where(denominator >= 0, 1.0, -1.0).to(denominator.dtype)
            quotient = share / (denominator + stabiliser)
            _keep(kept, "stabiliser", quotient * stabiliser)
        else:
            quotient = share / denominator
            if not _all_finite(quotient):
                empty = ~quotient.isfinite()
                quotient = quotient.masked_fill(empty, 0)
                owing = share * empty
                if owing.any():
                    owed = owing if owed is None else owed + owing
        if bias is not None:
            _keep(kept, "bias", quotient * bias)
        quotients.append(quotient)
    if owed is None:
        return Division(quotients, None, kept)
    mass = add_up([part.mass for part in parts])
    owed = layer.map.total(owed)
    unusable = mass == 0
    _keep(kept, "dropped", owed * unusable)
    return Division(quotients, (owed / mass).masked_fill(unusable, 0), kept)


def _all_finite(x: Tensor) -> bool:
    """Tell whether all values are finite, by their sum (which may be too large, and then it says no)."""
    return isfinite(x.sum())


def _keep(kept: dict[str, Tensor], column: str, amount: Tensor) -> None:
    kept[column] = kept[column] + amount if column in kept else amount
