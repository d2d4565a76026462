r"""Who takes the relevance of a product of a gate and a signal, :math:`z = g s`.

There is no unique answer, so it is a parameter (Arras et al. 2019 compare them for LSTMs):

========  =====================================  =====================================
rule      relevance of the signal                relevance of the gate
========  =====================================  =====================================
``all``   :math:`R`                              0
``half``  :math:`R / 2`                          :math:`R / 2`
``prop``  :math:`R \, s / (g + s)`               :math:`R \, g / (g + s)`
``abs``   :math:`R \, |s| / (|g| + |s|)`         :math:`R \, |g| / (|g| + |s|)`
========  =====================================  =====================================

Where a denominator is 0, each takes a half. What a gate takes passes through its sigmoid into the layer
that computed it. With g = 1/2 and R = 1, signal and gate take

========  ========  ===========  =========  =========
s         ``all``   ``half``     ``prop``   ``abs``
========  ========  ===========  =========  =========
1         1, 0      1/2, 1/2     2/3, 1/3   2/3, 1/3
-1        1, 0      1/2, 1/2     2, -1      2/3, 1/3
-1/2      1, 0      1/2, 1/2     1/2, 1/2   1/2, 1/2
========  ========  ===========  =========  =========
"""

from torch import Tensor

from rnnxai.explain.strategy import Strategy


def divide_product(
    strategy: Strategy, gate: Tensor, signal: Tensor, relevance: Tensor
) -> tuple[Tensor | None, Tensor]:
    """Divide the relevance of a product.

    Parameters
    ----------
    strategy : Strategy
        Its `gates` names the rule.
    gate, signal, relevance : Tensor
        Of shapes that broadcast to that of `relevance`.

    Returns
    -------
    of_gate : Tensor or None
        None if the gate takes nothing, which spares the way beyond.
    of_signal : Tensor
    """
    match strategy.gates:
        case "half":
            return relevance / 2, relevance / 2
        case "prop":
            share = signal / (gate + signal)
        case "abs":
            share = signal.abs() / (gate.abs() + signal.abs())
        case _:
            return None, relevance
    of_signal = relevance * share.masked_fill(~share.isfinite(), 0.5)
    return relevance - of_signal, of_signal
