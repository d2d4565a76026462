"""Write the tables of a study, for reading."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnxai.figures.networks import read_network
from rnnxai.figures.table_files import write_tables
from rnnxai.figures.tables import differences_table, hyperparameters_table, parameters_table, scores_table
from rnnxai.models.counts import parameter_counts
from rnnxai.scoring.differences import read_differences
from rnnxai.scoring.references import read_references
from rnnxai.scoring.table import read_table

TABLES = ("parameters", "hyperparameters", "scores", "differences")
_NO_SIZES = (
    "name",
    "image_size",
    "steps",
    "classes",
    "dropout",
    "pooling",
    "initial_scale",
    "folds",
    "bias_init",
)
"""What a network file says of how to build it besides the sizes of its layers."""


def make_tables(
    folder: str | Path,
    networks: Sequence[tuple[Mapping[str, Any], str | Path]],
    scores_path: str | Path,
    summary_path: str | Path,
    differences_path: str | Path,
    references: Mapping[str, str | Path],
    gates: Mapping[str, float],
) -> None:
    """Write :data:`TABLES`, each as CSV, Markdown and LaTeX.

    Parameters
    ----------
    folder : str or Path
        Where they go.
    networks : sequence of (Mapping, path)
        ``dataset``, ``architecture`` and ``T``, and the network file of one fold.
    scores_path, summary_path, differences_path : str or Path
        The tables of numbers.
    references : Mapping[str, path]
        Levels of trivial explanations by data set with marks.
    gates : Mapping[str, float]
        Accuracy by data set below which a network is flagged.
    """
    counted, trained = [], []
    for which, path in networks:
        network = read_network(path)
        build = network.build
        sizes = {name: value for name, value in build.items() if name not in _NO_SIZES}
        height, width = build["image_size"]
        counts = parameter_counts(
            build["name"],
            image_size=(height, width),
            steps=build["steps"],
            classes=build["classes"],
            bias_init=build.get("bias_init"),
            **sizes,
        )
        inputs = f"{height} x {width // build['steps']}"
        counted.append({**which, "inputs": inputs, "parameters": counts.trainable, "thesis": counts.thesis})
        gate = gates.get(str(which["dataset"]))
        trained.append({**which, **network.about["settings"], "gate": gate})
    scores = read_table(scores_path)
    levels = {dataset: read_references(path) for dataset, path in references.items()}
    made = (
        parameters_table(counted, scores, gates),
        hyperparameters_table(trained),
        scores_table(read_table(summary_path), levels),
        differences_table(read_differences(differences_path)),
    )
    for name, printed in zip(TABLES, made, strict=True):
        write_tables(printed, Path(folder) / name)
