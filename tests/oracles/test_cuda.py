"""The same maps and books on a GPU as on a CPU, for every method."""

import pytest
import torch
from torch import nn

import rnnxai

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")

OPTIONS = {"lrp": {"rules": {"input": "lrp-flat", "recurrent": "lrp-eps", "*": "lrp-gamma"}}}
METHODS = [name.format(alpha=1.5, beta=0.5) for name in rnnxai.METHODS]
CONSERVES = [name for name in METHODS if name.startswith(("dtd", "lrp"))]


class Reader(nn.Module):
    """A recurrent module that reads images column by column, and a linear layer."""

    def __init__(self, kind):
        super().__init__()
        self.steps = 8
        self.core = getattr(nn, kind)(3, 5, num_layers=2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(10, 3)

    def forward(self, images):
        output, _ = self.core(images.squeeze(1).transpose(1, 2))
        return self.head(output[:, -1])


def make(name):
    torch.manual_seed(0)
    if name in ("LSTM", "GRU", "RNN"):
        return Reader(name).double().eval()
    # Large weights without biases, so that no network is silent.
    options = {"initial_scale": 3.0, "bias_init": "none", "seed": 1}
    return rnnxai.build_model(name, image_size=(3, 8), steps=4, classes=3, **options).double().eval()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["shallow", "r-lstm-sd", "conv-plus-deep", "LSTM", "GRU", "RNN"])
def test_cuda_is_cpu(name, method):
    model = make(name)
    images = 2 * torch.rand(6, 1, 3, 8, dtype=torch.float64) - 1
    options = OPTIONS.get(method, {}) | {"return_ledger": method in CONSERVES}
    try:
        here = rnnxai.explain(model, images, None, method, **options)
    except rnnxai.Error as error:
        with pytest.raises(rnnxai.Error) as there:
            rnnxai.explain(model.cuda(), images.cuda(), None, method, **options)
        assert str(there.value) == str(error)
        return
    there = rnnxai.explain(model.cuda(), images.cuda(), None, method, **options)
    if options["return_ledger"]:
        (here, books), (there, their_books) = here, there
        assert abs(books.lost - their_books.lost).max() <= 1e-9 * (1 + abs(books.lost).max())
    assert here.any()
    assert (here - there.cpu()).abs().max() <= 1e-9 * here.abs().max()
