"""The scores by name.

A new one of this package is a function of :class:`~rnnxai.scoring.reductions.Reductions`, as in
:mod:`rnnxai.scoring.localisation`, and an entry here. Its column and status appear in the score files,
its mean in the tables. One from outside is the same function, named ``package.module:function`` in the
configuration.
"""

from rnnxai.registry import Entry, Registry

SCORES = Registry(
    "score",
    {
        "cosine": Entry(
            "rnnxai.scoring.localisation:cosine",
            "cosine between positive block relevance and the majority marks",
        ),
        "majority-share": Entry(
            "rnnxai.scoring.localisation:majority_share",
            "share of positive relevance on majority blocks",
        ),
        "ink-share": Entry(
            "rnnxai.scoring.localisation:ink_share",
            "of the positive relevance on majority blocks, the share on ink",
        ),
        "mass-accuracy": Entry(
            "rnnxai.scoring.localisation:mass_accuracy",
            "share of positive relevance on ink inside majority blocks",
        ),
        "rank-accuracy": Entry(
            "rnnxai.scoring.localisation:rank_accuracy",
            "share of the most relevant pixels that are ink inside majority blocks",
        ),
    },
)
