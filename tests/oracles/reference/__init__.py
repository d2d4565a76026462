"""A slow reference for explanations: plain loops in float64, one short function per equation.

It shares nothing with the package. Weights are arrays ``w`` (units, inputs), one sample is explained at
a time, and every message from unit k to input j stands in a matrix ``z`` (units, inputs) before it is
used. A forward pass writes itself down on a tape, and a method walks the tape back.

========== =======================================================================
rules      the rules of one layer, and 0/0
gates      the rules of a product
layers     convolutions, pooling and sums as dense matrices
tape       the forward pass of one sample, written down
nets       the architectures
relevance  the way back with relevance, starts, composites, books
gradients  the way back with the chain rule, and the methods made of gradients
========== =======================================================================
"""

from reference.gradients import (
    complex_step,
    gradient,
    guided,
    integrated,
    occlusion,
    sensitivity,
    smooth,
    taylor,
)
from reference.layers import Layer
from reference.nets import FORWARD, Net, layers_of
from reference.relevance import COLUMNS, COMPOSITES, LOST, relevance
from reference.rules import RefusedError, Rule, alpha_beta, mixed, z_bounded, z_plus

RULES = {"dtd": Rule(1, 0), "lrp-a1.5b0.5": Rule(1.5, 0.5), "lrp-a2b1": Rule(2, 1)}

__all__ = [
    "COLUMNS",
    "COMPOSITES",
    "FORWARD",
    "LOST",
    "RULES",
    "Layer",
    "Net",
    "RefusedError",
    "Rule",
    "alpha_beta",
    "complex_step",
    "gradient",
    "guided",
    "integrated",
    "layers_of",
    "mixed",
    "occlusion",
    "relevance",
    "sensitivity",
    "smooth",
    "taylor",
    "z_bounded",
    "z_plus",
]
