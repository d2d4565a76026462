"""The ten recurrent architectures as anybody would write them in PyTorch: one network, one step at a time.

Ordinary modules, ordinary dropout, everything concatenated where it is read. What the benchmarks of training
compare with.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout

from rnnxai.models.classifier import Classifier

HEIGHT, CHANNELS, CLASSES = 28, (24, 32), 10
DROPPED = 0.2


def stationary(x: Tensor, units: int, training: bool) -> Tensor:
    """Return a mask for the samples of x (N, ...) which all steps are to use."""
    return dropout(x.new_ones(len(x), units), DROPPED, training)


class Shallow(nn.Module):
    """Pixels and recurrent state are read by one layer."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(pixels + 256, 256)
        self.recurrent = nn.Linear(256, 256)
        self.output = nn.Linear(256, CLASSES)
        self.dropout = nn.Dropout(DROPPED)

    def forward(self, x: Tensor) -> Tensor:
        """Classify x (N, T, pixels)."""
        h, r = None, x.new_zeros(len(x), 256)
        for t in range(x.shape[1]):
            if h is not None:
                r = torch.relu(self.recurrent(self.dropout(h)))
            h = torch.relu(self.hidden(torch.cat([x[:, t], r], 1)))
        logits: Tensor = self.output(h)
        return logits


class Encoder(nn.Module):
    """What comes before the recurrent layers: two convolutions or none, and up to two dense layers."""

    def __init__(self, pixels: int, kind: str, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.kind = kind
        if kind != "dense":
            first, second = CHANNELS
            lateral = kind == "lateral"
            self.conv1 = nn.Conv2d(1 + lateral * first, first, 5, padding=2)
            self.conv2 = nn.Conv2d(first + lateral * second, second, 3, padding=1)
            pixels = second * (HEIGHT // 4) * -(-(pixels // HEIGHT) // 4)
        self.first = nn.Linear(pixels, widths[0]) if len(widths) > 1 else None
        self.encoder = nn.Linear(widths[0] if self.first else pixels, widths[-1])
        self.past: tuple[Tensor, Tensor] | None = None

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode one step x (N, pixels)."""
        if self.kind != "dense":
            x = self.convolve(x.view(len(x), 1, HEIGHT, -1)).flatten(1)
        if self.first is not None:
            x = dropout(torch.relu(self.first(x)), DROPPED, self.training)
        e = torch.relu(self.encoder(x))
        return dropout(e, DROPPED, self.training) if mask is None else e * mask

    def convolve(self, x: Tensor) -> Tensor:
        """Convolve one step (N, 1, height, width), together with the step before where it is lateral."""
        if self.kind == "lateral":
            x = torch.cat(
                [x, x.new_zeros(len(x), CHANNELS[0], *x.shape[2:]) if self.past is None else self.past[0]], 1
            )
        a = torch.relu(self.conv1(x))
        x = pool(a)
        if self.kind == "lateral":
            x = torch.cat(
                [x, x.new_zeros(len(x), CHANNELS[1], *x.shape[2:]) if self.past is None else self.past[1]], 1
            )
        b = torch.relu(self.conv2(x))
        self.past = (a, b)
        return pool(b)


def pool(x: Tensor) -> Tensor:
    """Pool as the thesis does: twice the average."""
    return 2 * avg_pool2d(x, 2, ceil_mode=True, count_include_pad=False)


class Deep(nn.Module):
    """Pixels are encoded before they meet the recurrent state."""

    def __init__(self, pixels: int, kind: str, widths: tuple[int, ...], stationary: bool = False) -> None:
        super().__init__()
        self.encode = Encoder(pixels, kind, widths)
        self.hidden = nn.Linear(widths[-1] + 256, 128)
        self.recurrent = nn.Linear(128, 256)
        self.decoder = nn.Linear(128, 32)
        self.output = nn.Linear(32, CLASSES)
        self.dropout = nn.Dropout(DROPPED)
        self.stationary = stationary

    def forward(self, x: Tensor) -> Tensor:
        """Classify x (N, T, pixels)."""
        self.encode.past = None
        own = joined = recalled = None
        if self.stationary:
            widths = (self.encode.encoder.out_features, self.hidden.in_features, 128)
            own, joined, recalled = (stationary(x, width, self.training) for width in widths)
        h, r = None, x.new_zeros(len(x), 256)
        for t in range(x.shape[1]):
            if h is not None:
                r = torch.relu(self.recurrent(self.dropout(h) if recalled is None else h * recalled))
            u = torch.cat([self.encode(x[:, t], own), r], 1)
            h = torch.relu(self.hidden(self.dropout(u) if joined is None else u * joined))
        logits: Tensor = self.output(torch.relu(self.decoder(self.dropout(h))))
        return logits


class RLSTM(nn.Module):
    """An LSTM with a ReLU candidate."""

    def __init__(self, pixels: int, kind: str, widths: tuple[int, ...], cells: int, stationary: bool) -> None:
        super().__init__()
        self.encode = Encoder(pixels, kind, widths)
        self.gates = nn.Linear(widths[-1] + cells, 3 * cells)
        self.candidate = nn.Linear(widths[-1] + cells, cells)
        self.output = nn.Linear(cells, CLASSES)
        self.dropout = nn.Dropout(DROPPED)
        self.cells, self.stationary = cells, stationary

    def forward(self, x: Tensor) -> Tensor:
        """Classify x (N, T, pixels)."""
        self.encode.past = None
        encoded = recalled = None
        if self.stationary:
            encoded = stationary(x, self.encode.encoder.out_features, self.training)
            recalled = stationary(x, self.cells, self.training)
        c = h = x.new_zeros(len(x), self.cells)
        for t in range(x.shape[1]):
            u = torch.cat([self.encode(x[:, t], encoded), h], 1)
            i, f, o = torch.sigmoid(self.gates(u)).chunk(3, 1)
            c = f * c + i * torch.relu(self.candidate(u))
            h = self.dropout(o * c) if recalled is None else o * c * recalled
        logits: Tensor = self.output(h)
        return logits


def plain_network(architecture: str, pixels: int) -> nn.Module:
    """Return a plain network that reads `pixels` of them at each step."""
    networks: Mapping[str, nn.Module] = {
        "shallow": Shallow(pixels),
        "deep": Deep(pixels, "dense", (256,)),
        "deep-v2": Deep(pixels, "dense", (128, 256)),
        "deep-sd": Deep(pixels, "dense", (256,), stationary=True),
        "conv-deep": Deep(pixels, "convolutional", (128,)),
        "conv-plus-deep": Deep(pixels, "lateral", (128,)),
        "r-lstm": RLSTM(pixels, "dense", (256,), 72, stationary=False),
        "r-lstm-sd": RLSTM(pixels, "dense", (256,), 72, stationary=True),
        "conv-r-lstm-sd": RLSTM(pixels, "convolutional", (128,), 96, stationary=True),
        "conv-plus-r-lstm-sd": RLSTM(pixels, "lateral", (128,), 96, stationary=True),
    }
    return networks[architecture]


@torch.no_grad()
def copy_weights(model: Classifier, k: int, plain: nn.Module) -> None:
    """Give a plain network the weights of network k of a stack."""
    layers = {name.rpartition(".")[2]: layer for name, layer in plain.named_modules()}
    for name, layer in model.affine_layers().items():
        own, offset = layers[name.rpartition(".")[2]], layer.offset()
        own.get_parameter("weight").copy_(layer.weight[k])
        if offset is not None:
            own.get_parameter("bias").copy_(offset[k])
