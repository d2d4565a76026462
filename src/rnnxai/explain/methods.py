"""The explanation methods by name. A new one is a function that returns a strategy, and a line here."""

from rnnxai.registry import Entry, Registry

METHODS = Registry(
    "explanation method",
    {
        "sa": Entry(
            "rnnxai.explain.gradients:sensitivity_analysis", "sensitivity analysis: the squared gradient"
        ),
        "gb": Entry(
            "rnnxai.explain.gradients:guided_backprop",
            "guided backprop: the squared gradient that ReLUs let through only where it is positive",
        ),
        "dtd": Entry(
            "rnnxai.explain.relevance:deep_taylor",
            "deep Taylor decomposition: z+ on hidden activations, z^B on pixels",
        ),
        "lrp-a{alpha}b{beta}": Entry(
            "rnnxai.explain.relevance:alpha_beta",
            "layer-wise relevance propagation, alpha-beta rule (lrp-a1.5b0.5), z^B on pixels",
        ),
    },
)
