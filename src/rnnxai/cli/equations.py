"""What each explanation method computes and conserves, in a line.

A method of :data:`rnnxai.explain.methods.METHODS` has a line here; a test sees to it, and to that what the
line says is conserved really is.
"""

from enum import Enum
from typing import NamedTuple


class Kept(Enum):
    """What the sum of a heatmap is."""

    POSITIVE_SCORE = "relu(score), all of it"
    SCORE = "the score, all of it"
    SCORE_LESS_BIASES = "the score, less what biases keep"
    SCORE_LESS_STABILISER = "the score, less what biases and epsilon keep"
    AS_ITS_RULES = "the score, less what its rules keep"
    SCORE_ABOVE_BASELINE = "score - score at the baseline"
    NOTHING = "nothing"


class Line(NamedTuple):
    """One method.

    Attributes
    ----------
    equation : str
        In the notation of :data:`NOTATION`.
    conserves : Kept
    """

    equation: str
    conserves: Kept


NOTATION = (
    "z is the explained score, x_i a value of the input; a layer computes z_k = sum_j x_j w_jk + b_k, "
    "w+ = max(w, 0) and w- = min(w, 0). [q_jk] is short for q_jk / sum_i q_ik, the part of j in the whole. "
    "What a unit without any usable input holds is dropped, and what reaches an initial state stays there; "
    "the ledger has both."
)

_ON_PIXELS = "z^B on pixels"
EQUATIONS = {
    "sa": Line("R_i = (dz/dx_i)^2", Kept.NOTHING),
    "gb": Line("R_i = (dz/dx_i)^2, ReLUs pass dz > 0 only", Kept.NOTHING),
    "taylor": Line("R_i = x_i dz/dx_i", Kept.NOTHING),
    "gradient-x-input": Line("R_i = x_i dz/dx_i", Kept.NOTHING),
    "integrated-gradients": Line(
        "R_i = (x_i - b_i) mean(dz/dx_i) on the way from b", Kept.SCORE_ABOVE_BASELINE
    ),
    "smoothgrad": Line("R_i = mean(dz/dx_i) over noisy x", Kept.NOTHING),
    "occlusion": Line("R of a step = z(x) - z(x without that step)", Kept.NOTHING),
    "dtd": Line(f"R_j = sum_k [x_j w+_jk] R_k; {_ON_PIXELS}", Kept.POSITIVE_SCORE),
    "lrp-a{alpha}b{beta}": Line(
        f"R_j = sum_k (alpha [x_j w+_jk] - beta [x_j w-_jk]) R_k; {_ON_PIXELS}", Kept.POSITIVE_SCORE
    ),
    "lrp-0": Line("R_j = sum_k x_j w_jk / z_k R_k", Kept.SCORE_LESS_BIASES),
    "lrp-eps": Line("R_j = sum_k x_j w_jk / (z_k + eps sign z_k) R_k", Kept.SCORE_LESS_STABILISER),
    "lrp-gamma": Line("R_j = sum_k [x_j (w_jk + gamma w+_jk)] R_k for x_j, z_k >= 0", Kept.SCORE_LESS_BIASES),
    "lrp-zplus": Line(f"R_j = sum_k [x_j w+_jk] R_k; {_ON_PIXELS}", Kept.SCORE),
    "lrp-w2": Line("R_j = sum_k [w_jk^2] R_k", Kept.SCORE),
    "lrp-flat": Line("R_j = sum_k [1] R_k", Kept.SCORE),
    "lrp": Line("the rule that is given for each layer", Kept.AS_ITS_RULES),
    "lrp-eps-plus": Line("lrp-eps; lrp-zplus in convolutions", Kept.SCORE_LESS_STABILISER),
    "lrp-eps-plus-flat": Line(
        "lrp-eps; lrp-zplus in convolutions, lrp-flat on the input", Kept.SCORE_LESS_STABILISER
    ),
    "lrp-eps-a2b1": Line("lrp-eps; lrp-a2b1 in convolutions", Kept.SCORE_LESS_STABILISER),
    "lrp-eps-gamma-box": Line(
        "lrp-eps; lrp-gamma in convolutions, z^B on the input", Kept.SCORE_LESS_STABILISER
    ),
}
