"""Classifiers: layers, cells, the classifier that unrolls them, and their names."""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "MODELS": "rnnxai.models.zoo:MODELS",
        "Affine": "rnnxai.models.layers:Affine",
        "Cell": "rnnxai.models.cells.cell:Cell",
        "Classifier": "rnnxai.models.classifier:Classifier",
        "Convolution": "rnnxai.models.convolution:Convolution",
        "Dropout": "rnnxai.models.dropout:Dropout",
        "build_model": "rnnxai.models.build:build_model",
        "gate": "rnnxai.models.layers:gate",
        "parameter_counts": "rnnxai.models.counts:parameter_counts",
        "pool": "rnnxai.models.pooling:pool",
    },
)
