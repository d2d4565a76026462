"""The samples that the thesis shows in its figures."""

from collections.abc import Mapping

from rnnxai.data.definition import DatasetDefinition

THESIS: Mapping[tuple[str, str], tuple[int, ...]] = {
    ("mnist", "columns"): (8915, 1318, 7221, 7540),  # Figures 2.14 and 3.4
    ("fashion-mnist", "columns"): (588, 314, 47, 145),  # Figures 2.14 and 3.5
    ("mnist", "majority"): (9407, 913, 1898),  # Figures 3.11, 3.17, 3.19 and 3.20
    ("fashion-mnist", "majority"): (3696, 2862, 7206),
}
"""Samples that the thesis shows, by source and task: numbers within the test set of the fixed split."""


def thesis_shows(definition: DatasetDefinition) -> bool:
    """Return whether the thesis shows samples of a data set, of the test set of its fixed split."""
    own = (definition.blocks, definition.repeats, definition.seed, definition.leak_free)
    return (definition.source, definition.task) in THESIS and own in {(3, 1, 0, False), (1, 1, 0, False)}
