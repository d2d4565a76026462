"""Make ``where-did-the-score-go.png``: train three small networks, explain them, draw their books.

The R-LSTM reads digits; the LSTM is that of ``docs/how-to/explain-your-own-lstm.md``, and the GRU is trained
as it is. Run ``python docs/images/where_did_the_score_go.py``; it takes a minute or two.
"""

import re
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy

import rnnxai
from rnnxai.data.dataset import Dataset, build_dataset
from rnnxai.data.definition import DatasetDefinition
from rnnxai.errors import Error
from rnnxai.figures.ledger import draw
from rnnxai.figures.save import save
from rnnxai.models.pixels import to_input

HERE = Path(__file__).parent
PAGE = HERE.parent / "how-to" / "explain-your-own-lstm.md"
METHODS = {"dtd": {}, "lrp-0": {}, "lrp-gamma": {}, "lrp-eps": {"epsilon": 0.02}, "lrp-flat": {}}


def digits() -> tuple[nn.Module, torch.Tensor]:
    """Return an R-LSTM that was trained on sequences of three digits, and sequences it has not seen."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "digits-maj.h5")
        build_dataset(DatasetDefinition("digits", repeats=4, folds=3), path)
        dataset = Dataset.open(path)
        rows, unseen = dataset.rows(0, "train"), dataset.rows(0, "test")[:200]
        images, others = (to_input(torch.from_numpy(dataset.sequences(part))) for part in (rows, unseen))
        labels = torch.from_numpy(dataset.labels[rows]).long()
    model = rnnxai.build_model("r-lstm", image_size=(28, 84), steps=12)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.001)
    for _ in range(8):
        for batch in torch.randperm(len(images)).split(50):
            optimiser.zero_grad()
            cross_entropy(model(images[batch]), labels[batch]).backward()
            optimiser.step()
    return model, others


def own(layer: str) -> tuple[nn.Module, torch.Tensor]:
    """Return the model of the page, with another recurrent layer perhaps, and sequences for it."""
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(code.replace("LSTM", layer).replace("lstm", layer.lower()), names)
    return names["model"], names["make_sequences"](200)[0]


ledgers = {}
torch.manual_seed(0)
for name, (model, inputs) in {"r-lstm": digits(), "nn.LSTM": own("LSTM"), "nn.GRU": own("GRU")}.items():
    for method, options in METHODS.items():
        try:
            _, ledgers[name, method] = rnnxai.explain(
                model.double(), inputs.double(), "predicted", method, return_ledger=True, **options
            )
        except Error as error:
            print(f"{name} has no {method}: {error}")
figure, table = draw(ledgers)
with tempfile.TemporaryDirectory() as folder:
    picture, _ = save(figure, table, Path(folder, "where-did-the-score-go"), formats=["png"])
    (HERE / picture.name).write_bytes(picture.read_bytes())
