"""A small study whose archives other programs open: two explainers, two folds."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from interop import EXPLAINERS, MAPS
from torch.nn.functional import cross_entropy

from rnnxai.archive.join import join
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.files import sha256
from rnnxai.models.build import build_model
from rnnxai.models.pixels import to_input
from rnnxai.models.weights import save_network
from rnnxai.stages.explain import explain_network

TRAINING_STEPS = 30


def trained(dataset):
    """Return a network that has seen a little."""
    torch.manual_seed(0)
    model = build_model("r-lstm", image_size=(28, 84), steps=12, classes=10)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    rows = dataset.rows(0, "train")
    for step in range(TRAINING_STEPS):
        batch = rows[np.arange(32 * step, 32 * (step + 1)) % len(rows)]
        images = to_input(torch.from_numpy(dataset.sequences(batch)))
        loss = cross_entropy(model(images), torch.from_numpy(dataset.labels[batch]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@pytest.fixture(scope="session")
def study(tmp_path_factory):
    """A folder of results, as the workflow lays it out, and a join of its archives."""
    results = tmp_path_factory.mktemp("results")
    dataset = results / "datasets" / "digits-maj.h5"
    build_dataset(DatasetDefinition("digits", folds=2), dataset)
    build = {"name": "r-lstm", "image_size": [28, 84], "steps": 12, "classes": 10}
    model = trained(Dataset.open(dataset))
    archives = []
    for fold in (0, 1):
        network = results / f"models/digits-maj/r-lstm/t12/fold-{fold}.safetensors"
        network.parent.mkdir(parents=True, exist_ok=True)
        save_network(model, 0, network, build, {"dataset_sha256": sha256(dataset)})
        folder = results / f"archives/digits-maj/r-lstm/t12/fold-{fold}"
        made = {name: folder / f"{name}.attribution.h5" for name in EXPLAINERS}
        explain_network(
            dataset,
            network,
            made,
            dataset="digits-maj",
            architecture="r-lstm",
            steps=12,
            fold=fold,
            explainers=[{"name": name, "method": name, "options": {}} for name in EXPLAINERS],
            maps=MAPS,
            chunk=200,
        )
        archives += made.values()
    joined = results / "archives" / "joined.h5"
    join(archives, joined)
    return SimpleNamespace(
        results=results, dataset=dataset, archives=archives, archive=archives[1], joined=joined
    )
