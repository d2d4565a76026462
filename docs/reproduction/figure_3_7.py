"""Make ``figure-3-7.csv``: which normalisation gives the curves of LRP in Figure 3.7 of the thesis.

They do not fall to 0 where there is no ink, and the text does not say why. Each candidate is taken of the
same archives, those of a finished study of ``shallow`` and ``deep`` on MNIST in seven steps that keeps all
maps (``archive.maps: all``). Run ``python docs/reproduction/figure_3_7.py --results FOLDER``.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from rnnxai.archive.read import AttributionArchive
from rnnxai.archive.reductions import column_sums
from rnnxai.data.dataset import Dataset
from rnnxai.files import write_text
from rnnxai.reproduction.published import read_published
from rnnxai.reproduction.run import shares_of_sum

HERE = Path(__file__).parent
DIGIT, STEPS, EXPLAINER = 1, 7, "lrp-a1.5b0.5"


def curves(maps: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the share of each step under each candidate, for maps (samples, 1, 28, 28)."""
    own = maps.min(axis=(1, 2, 3), keepdims=True)
    largest = np.abs(maps).max(axis=(1, 2, 3), keepdims=True)
    sums = column_sums(maps, STEPS)
    shares = sums / sums.sum(axis=1, keepdims=True)
    powers = np.exp(shares)
    return {
        "signed": shares_of_sum(sums),
        "positive": shares_of_sum(column_sums(maps.clip(0), STEPS)),
        "absolute": shares_of_sum(column_sums(np.abs(maps), STEPS)),
        "softmax of shares": (powers / powers.sum(axis=1, keepdims=True)).mean(axis=0),
        "each map scaled to 0..1": shares_of_sum(column_sums(maps / largest + 1, STEPS)),
        "less each map's smallest": shares_of_sum(column_sums(maps - own, STEPS)),
        "less the smallest of all maps": shares_of_sum(column_sums(maps - maps.min(), STEPS)),
    }


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--results", type=Path, default=Path("results"), help="folder of the finished study")
results = parser.parse_args().results
images = Dataset.open(results / "datasets/mnist.h5")
published = read_published(HERE / "published.csv")
published = published[(published["metric"] == "relevance-per-step") & (published["explainer"] == EXPLAINER)]
rows = []
for architecture, values in published.groupby("architecture", sort=False):
    place = results / f"archives/mnist/{architecture}/t{STEPS}/fold-quality/{EXPLAINER}.attribution.h5"
    with AttributionArchive(place) as archive:
        own = images.labels[archive["index"][:].astype(np.int64)] == DIGIT
        maps = archive["attribution"][:][own].astype(np.float64)
    drawn = values.sort_values("step")["value"].to_numpy()
    for candidate, curve in {"published": drawn, **curves(maps)}.items():
        steps = {f"step_{step}": share for step, share in enumerate(curve, start=1)}
        off = {"largest_difference": np.abs(curve - drawn).max()}
        rows.append({"architecture": architecture, "curve": candidate, **steps, **off})
table = pd.DataFrame(rows)
write_text(HERE / "figure-3-7.csv", table.to_csv(index=False, lineterminator="\n", float_format="%.3f"))
print(table.to_string(index=False, float_format="{:.3f}".format))
