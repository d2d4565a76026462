"""Explanations: rules, the recorded forward pass they walk back through, and their books."""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "METHODS": "rnnxai.explain.methods:METHODS",
        "Ledger": "rnnxai.explain.ledger:Ledger",
        "at_layers": "rnnxai.explain.api:at_layers",
        "check": "rnnxai.explain.preview:check",
        "explain": "rnnxai.explain.api:explain",
        "per_step": "rnnxai.explain.slices:per_step",
    },
    call="explain",
)
