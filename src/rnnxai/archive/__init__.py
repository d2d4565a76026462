"""The HDF5 archives: heatmaps with what is needed to score, check and trace them."""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(
    __name__,
    {
        "AttributionArchive": "rnnxai.archive.read:AttributionArchive",
        "AttributionWriter": "rnnxai.archive.write:AttributionWriter",
        "Layout": "rnnxai.archive.layout:Layout",
        "check_complete": "rnnxai.archive.check:check_complete",
        "Damage": "rnnxai.archive.damage:Damage",
        "join": "rnnxai.archive.join:join",
        "stored_rows": "rnnxai.archive.layout:stored_rows",
        "verify": "rnnxai.archive.verify:verify",
    },
)
