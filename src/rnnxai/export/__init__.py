"""Archives in the form of other programs."""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(__name__, {"export_virelay": "rnnxai.export.virelay:export_virelay"})
