"""Figures from archives and tables: nothing here knows a model.

A new figure is one module with a function ``draw(...) -> (Figure, DataFrame)``, as
:mod:`rnnxai.figures.cosine`, and one line in :mod:`rnnxai.figures.catalogue`.
"""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "FIGURES": "rnnxai.figures.catalogue:FIGURES",
        "save": "rnnxai.figures.save:save",
    },
)
