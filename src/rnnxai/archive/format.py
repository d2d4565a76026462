"""Format 1.0 as data: names, dimensions, types and required attributes, and nothing that runs.

To store one more number per sample, add a :class:`Field` here and give it a value in
:mod:`rnnxai.archive.write`; reader, check and documentation test go by this table.
"""

from typing import NamedTuple

FORMAT = "1.0"
CONVENTIONS = "CF-1.11"

ATTRIBUTION = "attribution"
SCORES = "scores"
DATASET = "dataset"
JOIN = "join"

KINDS = {
    ATTRIBUTION: "the heatmaps of one network and explainer",
    SCORES: "the scores of some archives, sample by sample",
    DATASET: "images and samples (rnnxai.data.dataset_file)",
    JOIN: "archives side by side, over folds and explainers",
}
"""What a file can be."""

MAP_ROWS = 16
"""Rows of a chunk of maps: one sample alone is read at the cost of 16."""
TABLE_BYTES = 2**14
"""Bytes of a chunk of every other array, in whole rows; who reads them all holds so much of each."""
FILTERS = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True}
"""Readable by every HDF5 tool without a plugin; the checksum makes a flipped bit an error."""

DIMENSIONS = {
    "sample": "row of this file",
    "channel": "colour channel of the input",
    "y": "pixel row, counted from the top",
    "x": "pixel column, counted from the left; time runs along it",
    "step": "time step: an equal range of columns",
    "block": "item of the sequence: an equal range of columns",
    "class": "class the model tells apart",
}


class Field(NamedTuple):
    """One array of the file."""

    name: str
    dims: tuple[str, ...]
    dtype: str
    long_name: str
    only_with: str = ""
    """Property of the layout without which the array is absent: "blocks", "conserves" or none."""
    flags: tuple[str, ...] = ()
    """Meanings of the values 0, 1, ... where the numbers are codes."""


KEPT = {
    "bias": Field("kept_by_biases", ("sample",), "f8", "relevance that biases kept", "conserves"),
    "stabiliser": Field(
        "absorbed_by_stabilisers", ("sample",), "f8", "relevance that stabilisers absorbed", "conserves"
    ),
    "dropped": Field(
        "dropped", ("sample",), "f8", "relevance of units without any usable input", "conserves"
    ),
    "initial_state": Field(
        "left_in_initial_states",
        ("sample",),
        "f8",
        "relevance that initial states were left with",
        "conserves",
    ),
}
"""Where relevance can stay on its way to the map, by the column of a ledger that says so."""
MAPS = Field("attribution", ("sample", "channel", "y", "x"), "f4", "relevance of each pixel")
FIELDS = (
    Field(
        "map_stored",
        ("sample",),
        "u1",
        "whether the full map is kept",
        flags=("not_stored", "stored"),
    ),
    Field("prediction", ("sample", "class"), "f4", "logits of the model"),
    Field("label", ("sample",), "u2", "class that was explained"),
    Field("index", ("sample",), "u4", "row of the data set file"),
    Field("explained_score", ("sample",), "f8", "logit of the explained class"),
    Field("relevance_sum", ("sample",), "f8", "sum of the map"),
    Field("relevance_step", ("sample", "step"), "f8", "sum of the map over each time step"),
    Field("relevance_step_positive", ("sample", "step"), "f8", "the same, of its positive part"),
    Field("relevance_block", ("sample", "block"), "f8", "sum of the map over each block", "blocks"),
    Field(
        "relevance_block_positive",
        ("sample", "block"),
        "f8",
        "the same, of its positive part",
        "blocks",
    ),
    Field("starting_relevance", ("sample",), "f8", "what the explanation set out to divide", "conserves"),
    *KEPT.values(),
    Field(
        "conservation_error",
        ("sample",),
        "f8",
        "distance of the sum and what was kept from the starting relevance, relative",
        "conserves",
    ),
)
"""Every array beside the maps, in the order of the file."""

PROVENANCE = (
    "git_commit",
    "git_dirty",
    "config_json",
    "config_sha256",
    "software_json",
    "seed",
    "threads",
    "device",
    "deterministic",
    "inputs_json",
)
"""Root attributes of every file, made by :func:`rnnxai.archive.provenance.provenance`."""

EXPLANATION = (
    "dataset",
    "architecture",
    "T",
    "fold",
    "explainer",
    "explainer_parameters_json",
    "attribution_strategy",
    "model_sha256",
)
"""Further root attributes of an attribution file (:func:`rnnxai.archive.provenance.explanation`)."""

ROUNDED_BITS = "_QuantizeBitRoundNumberOfSignificantBits"
"""Attribute of rounded maps, by netCDF's convention: bits of the mantissa that were kept."""
ROUNDED_ERROR = "maximum_relative_error"
"""Attribute of rounded maps: how far a pixel can be from what was computed, relative to it."""

MAX_SAMPLES = 2**24
MAX_MAP_BYTES = 2**26
MAX_ARRAY_BYTES = 2**32
MAX_BYTES = 2**40
"""Bounds of what is read at all: samples, one map, one array beside the maps, and any array."""
