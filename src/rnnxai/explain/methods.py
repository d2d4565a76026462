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
        "taylor": Entry(
            "rnnxai.explain.gradients:taylor", "simple Taylor decomposition: the gradient times the input"
        ),
        "gradient-x-input": Entry("rnnxai.explain.gradients:taylor", "another name of taylor"),
        "integrated-gradients": Entry(
            "rnnxai.explain.gradients:integrated_gradients",
            "the gradient averaged on the way from a baseline, times that way",
        ),
        "smoothgrad": Entry(
            "rnnxai.explain.gradients:smoothgrad", "the gradient averaged over noisy copies of the input"
        ),
        "occlusion": Entry(
            "rnnxai.explain.gradients:occlusion", "how far the score falls when a step is blotted out"
        ),
        "dtd": Entry(
            "rnnxai.explain.relevance:deep_taylor",
            "deep Taylor decomposition: z+ on hidden activations, z^B on pixels",
        ),
        "lrp-a{alpha}b{beta}": Entry(
            "rnnxai.explain.relevance:alpha_beta",
            "layer-wise relevance propagation, alpha-beta rule (lrp-a1.5b0.5), z^B on pixels",
        ),
        "lrp-0": Entry("rnnxai.explain.relevance:lrp_zero", "LRP-0: in proportion to x w, biases included"),
        "lrp-eps": Entry("rnnxai.explain.relevance:lrp_epsilon", "LRP-epsilon: LRP-0 with a stabiliser"),
        "lrp-gamma": Entry(
            "rnnxai.explain.relevance:lrp_gamma", "LRP-gamma: what agrees with a unit's sign counts more"
        ),
        "lrp-zplus": Entry(
            "rnnxai.explain.relevance:lrp_z_plus", "the z+ rule from the score itself, z^B on pixels"
        ),
        "lrp-w2": Entry("rnnxai.explain.relevance:lrp_w_square", "the w^2 rule in every layer"),
        "lrp-flat": Entry("rnnxai.explain.relevance:lrp_flat", "the flat rule in every layer"),
        "lrp": Entry(
            "rnnxai.explain.relevance:lrp_composite", "a composite: a rule for each layer (rules=...)"
        ),
        "lrp-eps-plus": Entry(
            "rnnxai.explain.relevance:epsilon_plus", "composite: epsilon, z+ in convolutions"
        ),
        "lrp-eps-plus-flat": Entry(
            "rnnxai.explain.relevance:epsilon_plus_flat", "the same with the flat rule on the input"
        ),
        "lrp-eps-a2b1": Entry(
            "rnnxai.explain.relevance:epsilon_alpha2_beta1",
            "composite: epsilon, alpha 2 beta 1 in convolutions",
        ),
        "lrp-eps-gamma-box": Entry(
            "rnnxai.explain.relevance:epsilon_gamma_box",
            "composite: epsilon, gamma in convolutions, z^B on the input",
        ),
    },
)
