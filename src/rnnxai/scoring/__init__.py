"""Scores of explanations, from archives and plain arrays: nothing here knows a model."""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "SCORES": "rnnxai.scoring.scores:SCORES",
        "block_cosine": "rnnxai.scoring.blocks:block_cosine",
        "corrected_interval": "rnnxai.scoring.statistics:corrected_interval",
        "differences": "rnnxai.scoring.differences:differences",
        "bootstrap_interval": "rnnxai.scoring.statistics:bootstrap_interval",
        "holm": "rnnxai.scoring.statistics:holm",
        "majority_share": "rnnxai.scoring.blocks:majority_share",
        "mass_accuracy": "rnnxai.scoring.pixels:mass_accuracy",
        "mean_interval": "rnnxai.scoring.statistics:mean_interval",
        "merge": "rnnxai.scoring.table:merge",
        "rank_accuracy": "rnnxai.scoring.pixels:rank_accuracy",
        "read_scores": "rnnxai.scoring.store:read_scores",
        "reference_scores": "rnnxai.scoring.references:reference_scores",
        "reference_levels": "rnnxai.scoring.statistics:reference_levels",
        "score_archive": "rnnxai.scoring.archives:score_archive",
        "summarise": "rnnxai.scoring.summary:summarise",
        "write_scores": "rnnxai.scoring.store:write_scores",
    },
)
