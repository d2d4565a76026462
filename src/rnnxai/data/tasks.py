"""The table of tasks: what samples are made of the images of a source, and which blocks are marked.

To add one, write a function of a definition and a source that returns :class:`rnnxai.data.samples.Samples`,
as those in :mod:`rnnxai.data.samples`, and name it here.
"""

from rnnxai.registry import Entry, Registry

TASKS = Registry(
    "task",
    {
        "majority": Entry(
            "rnnxai.data.samples:majority_samples", "images side by side, the class of the majority decides"
        ),
        "columns": Entry("rnnxai.data.samples:column_samples", "one image, read column by column; no marks"),
    },
)
