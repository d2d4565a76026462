"""Explain what recurrent networks decide on: which time steps, which pixels.

Examples
--------
>>> import rnnxai
>>> model = rnnxai.build_model("r-lstm", image_size=(28, 84), steps=12, classes=10)
>>> relevance = rnnxai.explain(model, images, targets, method="dtd")  # doctest: +SKIP
"""

from rnnxai._lazy import exports

__version__ = "0.1.0"

__getattr__, __dir__ = exports(
    __name__,
    {
        "Error": "rnnxai.errors:Error",
        "METHODS": "rnnxai.explain.methods:METHODS",
        "MODELS": "rnnxai.models.zoo:MODELS",
        "archive": "rnnxai.archive",
        "build_model": "rnnxai.models.build:build_model",
        "data": "rnnxai.data",
        "explain": "rnnxai.explain",
        "figures": "rnnxai.figures",
        "models": "rnnxai.models",
        "scoring": "rnnxai.scoring",
    },
)
