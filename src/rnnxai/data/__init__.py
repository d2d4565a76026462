"""Data: images from known sources, sequences made of them, and the splits they are trained and tested on.

A new source is one loader and one line in :mod:`rnnxai.data.sources`. A new kind of sequence is one
function beside :func:`rnnxai.data.majority.draw_majority` and one branch in :mod:`rnnxai.data.samples`.
"""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "Dataset": "rnnxai.data.dataset:Dataset",
        "DatasetDefinition": "rnnxai.data.definition:DatasetDefinition",
        "SOURCES": "rnnxai.data.sources:SOURCES",
        "Source": "rnnxai.data.source:Source",
        "build_dataset": "rnnxai.data.dataset:build_dataset",
        "load_source": "rnnxai.data.source:load_source",
        "majority_sequences": "rnnxai.data.majority:majority_sequences",
    },
)
