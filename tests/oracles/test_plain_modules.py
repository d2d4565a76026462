"""Networks of plain PyTorch modules against the matrices of the reference."""

import copy
from typing import NamedTuple

import numpy as np
import plain_reference as reference
import pytest
import torch
from plain_reference import Activation, Affine, MaxPool, Residual
from torch import nn
from torch.nn import functional as F

import rnnxai
from rnnxai.errors import Error

TOLERANCE = 1e-9
SAMPLES, CLASSES = 3, 3
INFINITE = float("inf")
COLUMNS = ("bias", "stabiliser", "dropped")

ANY_SIGN = [
    ("lrp-0", {}),
    ("lrp-eps", {}),
    ("lrp-eps", {"epsilon": 0.1}),
    ("lrp-gamma", {}),
    ("lrp-gamma", {"gamma": 2.0}),
    ("lrp-w2", {}),
    ("lrp-flat", {}),
]
NOT_NEGATIVE = [("dtd", {}), ("lrp-zplus", {}), ("lrp-a1.5b0.5", {}), ("lrp-a2b1", {})]


class Case(NamedTuple):
    """A network, and the same as a chain for the reference."""

    net: nn.Module
    chain: list
    shape: tuple


def randomised(net, seed=0):
    """Give all parameters and running statistics values of their own."""
    rng = torch.Generator().manual_seed(seed)
    net = net.double().eval()
    with torch.no_grad():
        for name, values in [*net.named_parameters(), *net.named_buffers()]:
            if values.is_floating_point():
                values.copy_(torch.randn(values.shape, generator=rng, dtype=torch.float64) / 2)
                if "running_var" in name:
                    values.abs_().add_(0.2)
    return net


def chain_of(modules, shape):
    """Translate modules one by one; batch normalisation moves into the affine layer before it."""
    chain = []
    for module in modules:
        example = torch.zeros(1, *shape, dtype=torch.float64)
        after = tuple(module(example).shape[1:])
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and chain and isinstance(chain[-1], Affine):
            chain[-1] = Affine(reference.merged(chain[-1].layer, reference.dense(module, shape)))
        elif isinstance(module, LINEAR):
            chain.append(Affine(reference.dense(module, shape)))
        elif isinstance(module, (nn.MaxPool1d, nn.MaxPool2d)):
            taken = (module.kernel_size, module.stride, module.padding, module.dilation)
            chain.append(MaxPool(list(reference.windows(shape, *taken))))
        elif type(module) in ACTIVATIONS:
            chain.append(Activation(by_numpy(module), ACTIVATIONS[type(module)]))
        elif isinstance(module, Skip):
            chain.append(Residual(chain_of(module.branch, shape)))
        else:
            assert isinstance(module, (nn.Flatten, nn.Dropout, nn.Identity, nn.Unflatten)), module
        shape = after
    return chain


class Skip(nn.Module):
    """x + branch(x)."""

    def __init__(self, *branch):
        super().__init__()
        self.branch = nn.Sequential(*branch)

    def forward(self, x):
        return x + self.branch(x)


def by_numpy(module):
    return lambda x: module(torch.from_numpy(x)).detach().numpy()


LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
LINEAR += (nn.modules.batchnorm._BatchNorm,)
ACTIVATIONS = {
    nn.ReLU: "N",
    nn.ReLU6: "N",
    nn.Sigmoid: "N",
    nn.Softplus: "N",
    nn.Tanh: "S",
    nn.LeakyReLU: "S",
    nn.ELU: "S",
    nn.SiLU: "S",
    nn.GELU: "S",
}

NETS = {
    "linear": ([nn.Linear(5, 3)], (5,)),
    "no bias": ([nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 3, bias=False)], (5,)),
    "two layers": ([nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 6), nn.ReLU(), nn.Linear(6, 3)], (5,)),
    "dropout": ([nn.Linear(5, 7), nn.Dropout(0.5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(7, 3)], (5,)),
    "conv1d": ([nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(20, 3)], (2, 7)),
    "conv1d, strides": (
        [nn.Conv1d(2, 4, 3, stride=2, padding=2, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(16, 3)],
        (2, 7),
    ),
    "conv2d": (
        [
            nn.Conv2d(2, 3, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(3, 2, 2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(24, 3),
        ],
        (2, 4, 5),
    ),
    "conv2d, groups": (
        [
            nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), groups=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(48, 3),
        ],
        (4, 4, 5),
    ),
    "conv2d, dilation": (
        [nn.Conv2d(2, 3, 2, dilation=2, padding=2), nn.ReLU(), nn.Flatten(), nn.Linear(126, 3)],
        (2, 4, 5),
    ),
    "depthwise": (
        [
            nn.Conv1d(3, 3, 3, groups=3),
            nn.ReLU(),
            nn.Conv1d(3, 4, 1),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(20, 3),
        ],
        (3, 7),
    ),
    "average pooling": (
        [nn.Conv2d(1, 3, 2), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 3)],
        (1, 5, 4),
    ),
    "average pooling, 1d": (
        [nn.Conv1d(2, 3, 2), nn.ReLU(), nn.AvgPool1d(3, 2), nn.Flatten(), nn.Linear(9, 3)],
        (2, 8),
    ),
    "average of all": (
        [nn.Conv2d(1, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)],
        (1, 4, 4),
    ),
    "max pooling": (
        [nn.Conv2d(1, 3, 2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3)],
        (1, 5, 5),
    ),
    "max pooling, overlap": (
        [nn.Conv2d(1, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 1, 1), nn.Flatten(), nn.Linear(27, 3)],
        (1, 4, 4),
    ),
    "max pooling, 1d": (
        [nn.Conv1d(2, 3, 2), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(9, 3)],
        (2, 7),
    ),
    "norm merged": ([nn.Linear(5, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)], (5,)),
    "norm merged, conv": (
        [nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 3)],
        (2, 4, 5),
    ),
    "norm merged, conv1d, no bias": (
        [nn.Conv1d(2, 3, 2, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Flatten(), nn.Linear(18, 3)],
        (2, 7),
    ),
    "norm after relu": ([nn.Linear(5, 7), nn.ReLU(), nn.BatchNorm1d(7), nn.ReLU(), nn.Linear(7, 3)], (5,)),
    "norm without weights": (
        [nn.Linear(5, 7), nn.ReLU(), nn.BatchNorm1d(7, affine=False), nn.ReLU(), nn.Linear(7, 3)],
        (5,),
    ),
    "residual": (
        [
            nn.Linear(5, 6),
            nn.ReLU(),
            Skip(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6), nn.ReLU()),
            nn.Linear(6, 3),
        ],
        (5,),
    ),
    "residual, conv and norm": (
        [
            nn.Conv2d(1, 3, 3, padding=1),
            nn.BatchNorm2d(3),
            nn.ReLU(),
            Skip(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU()),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(12, 3),
        ],
        (1, 4, 4),
    ),
    "relu6": ([nn.Linear(5, 7), nn.ReLU6(), nn.Linear(7, 3)], (5,)),
    "softplus": ([nn.Linear(5, 7), nn.Softplus(), nn.Linear(7, 3)], (5,)),
    "sigmoid": ([nn.Linear(5, 7), nn.Sigmoid(), nn.Linear(7, 3)], (5,)),
}
SIGNED_NETS = {
    "tanh": ([nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3)], (5,)),
    "leaky relu": ([nn.Linear(5, 7), nn.LeakyReLU(0.2), nn.Linear(7, 3)], (5,)),
    "elu": ([nn.Linear(5, 7), nn.ELU(), nn.Linear(7, 3)], (5,)),
    "silu": ([nn.Linear(5, 7), nn.SiLU(), nn.Linear(7, 3)], (5,)),
    "gelu": ([nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 3)], (5,)),
    "residual, signed": (
        [nn.Linear(5, 6), nn.ReLU(), Skip(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6)), nn.Linear(6, 3)],
        (5,),
    ),
    "norm, signed": ([nn.Linear(5, 6), nn.ReLU(), nn.BatchNorm1d(6), nn.Linear(6, 3)], (5,)),
    "norm first": ([nn.BatchNorm1d(5), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)], (5,)),
    "no activation": ([nn.Linear(5, 6), nn.Linear(6, 3)], (5,)),
}
CURVED = ["relu6", "softplus", "sigmoid", "tanh", "leaky relu", "elu", "silu", "gelu"]


def make(name, seed=0):
    modules, shape = (NETS | SIGNED_NETS)[name]
    net = randomised(nn.Sequential(*copy.deepcopy(modules)), seed)
    return Case(net, chain_of(net, shape), shape)


def inputs(shape, bounds, seed=1):
    x = torch.randn(SAMPLES, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x if bounds is None else x.abs() if bounds[0] == 0 else x.clamp(*bounds)


def domain_of(bounds):
    if bounds is None:
        return "S"
    return {0.0: "N", -INFINITE: "A"}.get(float(bounds[0]), "B")


def compare(case, x, method, options, bounds=None, forward=None):
    """Compare maps, starts and books of all samples; `forward` explains another network than the case's."""
    net, targets = forward or case.net, torch.tensor([0, 1, 2])
    if reference.alpha_and_beta(method):
        targets = case.net(x).argmax(1)
    found, ledger = rnnxai.explain(net, x, targets, method, bounds=bounds, return_ledger=True, **options)
    assert found.shape == x.shape
    low_high = bounds if domain_of(bounds) == "B" else (-1.0, 1.0)
    for n, target in enumerate(targets.tolist()):
        right, books, start = reference.explain(
            case.chain, x[n].flatten().numpy(), target, method, domain_of(bounds), *low_high, **options
        )
        size = max(np.abs(right).max(), *map(abs, books.values()), abs(start))
        error = np.abs(found[n].flatten().numpy() - right).max()
        assert error <= TOLERANCE * size, (method, options, n)
        assert abs(ledger.start[n] - start) <= TOLERANCE * size
        kept = ledger.table(n)[list(COLUMNS)].sum()
        for column in COLUMNS:
            assert abs(kept[column] - books[column]) <= TOLERANCE * size, (method, column, n)


every_net = pytest.mark.parametrize("name", [*NETS, *SIGNED_NETS])


# The reference itself


@every_net
def test_the_reference_computes_what_torch_computes(name):
    case = make(name)
    x = inputs(case.shape, None)
    right = case.net(x).detach().numpy()
    for n in range(SAMPLES):
        scores, _ = reference.forward(case.chain, x[n].flatten().numpy())
        assert np.abs(scores - right[n]).max() <= 1e-13 * np.abs(right[n]).max()


@every_net
def test_the_reference_conserves(name):
    case = make(name)
    methods = ANY_SIGN if name in SIGNED_NETS else ANY_SIGN + NOT_NEGATIVE
    x = inputs(case.shape, (-1, 1))
    for n, target in enumerate(case.net(x).argmax(1).tolist()):
        for method, options in methods:
            right, books, start = reference.explain(
                case.chain, x[n].flatten().numpy(), target, method, "B", **options
            )
            size = max(np.abs(right).max(), *map(abs, books.values()), abs(start))
            assert abs(right.sum() + sum(books.values()) - start) <= 1e-12 * size


@pytest.mark.parametrize("name", [name for name in (*NETS, *SIGNED_NETS) if name not in CURVED])
def test_the_reference_of_lrp_0_is_gradient_times_input_of_relu_networks(name):
    case = make(name)
    x = inputs(case.shape, None).requires_grad_()
    (gradient,) = torch.autograd.grad(case.net(x)[:, 1].sum(), x)
    for n in range(SAMPLES):
        right, _, _ = reference.explain(case.chain, x[n].detach().flatten().numpy(), 1, "lrp-0")
        found = (x * gradient)[n].detach().flatten().numpy()
        assert np.abs(right - found).max() <= 1e-11 * np.abs(right).max()


def test_a_matrix_of_a_convolution_written_as_loops():
    conv = randomised(nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2))
    w, b = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    matrix = reference.dense(conv, (4, 4, 5))
    units = matrix.w.reshape(6, 2, 3, 4, 4, 5)
    reads = matrix.reads.reshape(6, 2, 3, 4, 4, 5)
    assert (matrix.b.reshape(6, 2, 3) == b[:, None, None]).all()
    right, read = np.zeros_like(units), np.zeros_like(reads)
    for out, y, x, channel, dy, dx in np.ndindex(6, 2, 3, 2, 3, 2):
        row, column = 2 * y + dy - 1, x + 2 * dx
        if 0 <= row < 4:
            right[out, y, x, 2 * (out // 3) + channel, row, column] = w[out, channel, dy, dx]
            read[out, y, x, 2 * (out // 3) + channel, row, column] = True
    np.testing.assert_allclose(units, right, rtol=1e-15, atol=1e-15)
    assert (reads == read).all()


# The engine


@every_net
def test_rules_that_ask_nothing_of_the_input(name):
    case = make(name)
    for bounds in (None, (-1, 1)):
        x = inputs(case.shape, bounds)
        for method, options in ANY_SIGN:
            compare(case, x, method, options, bounds)


@pytest.mark.parametrize("bounds", [(0, INFINITE), (-1, 1), (-0.5, 2), (-INFINITE, INFINITE)])
@pytest.mark.parametrize("name", NETS)
def test_rules_for_activations_that_are_not_negative(name, bounds):
    case = make(name)
    x = inputs(case.shape, bounds)
    for method, options in NOT_NEGATIVE:
        compare(case, x, method, options, bounds)


@pytest.mark.parametrize("bounds", [(0, INFINITE), (-1, 1)])
@pytest.mark.parametrize("name", NETS)
def test_empty_denominators(name, bounds):
    """Units that nothing inhibits or excites, kept active by biases, and inputs that are 0 or at a bound."""
    modules, shape = NETS[name]
    net = randomised(nn.Sequential(*copy.deepcopy(modules)), seed=3)
    with torch.no_grad():
        for layer in net.modules():
            if isinstance(layer, (nn.Linear, nn.Conv1d, nn.Conv2d)):
                layer.weight[::2].abs_()
                layer.weight[1] = 0
                layer.weight[2:3].abs_().neg_()
                if layer.bias is not None:
                    layer.bias.abs_().add_(1)
    case = Case(net, chain_of(net, shape), shape)
    rng = torch.Generator().manual_seed(4)
    x = inputs(shape, bounds) * torch.randint(0, 2, (SAMPLES, *shape), generator=rng)
    x[0] = 0
    if bounds == (-1, 1):
        x[1] = -1
    for method, options in NOT_NEGATIVE + ANY_SIGN:
        compare(case, x, method, options, bounds)


@pytest.mark.parametrize("name", SIGNED_NETS)
def test_alpha_beta_is_refused_where_a_layer_reads_either_sign(name):
    case = make(name)
    for method, _ in NOT_NEGATIVE:
        with pytest.raises(Error):
            rnnxai.explain(case.net, inputs(case.shape, (-1, 1)), 0, method, bounds=(-1, 1))


@pytest.mark.parametrize("method", ["dtd", "lrp-zplus", "lrp-a2b1"])
def test_alpha_beta_is_refused_without_bounds(method):
    case = make("two layers")
    with pytest.raises(Error, match="bounds"):
        rnnxai.explain(case.net, inputs(case.shape, None), 0, method)


# Other ways to write the same


class Functional(nn.Module):
    """A small image network without a module but those that hold weights."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3)
        self.dense, self.out = nn.Linear(12, 6), nn.Linear(6, 3)

    def forward(self, x):
        x = F.relu(self.norm(F.conv2d(x, self.conv.weight, self.conv.bias, padding=1)))
        x = torch.flatten(F.max_pool2d(x, 2), 1)
        x = F.dropout(F.linear(x, self.dense.weight, self.dense.bias), 0.5, self.training)
        return self.out(torch.relu(x))


def test_functional_forms_are_the_modules():
    net = randomised(Functional())
    modules = [net.conv, net.norm, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), net.dense, nn.ReLU(), net.out]
    case = Case(nn.Sequential(*modules), chain_of(modules, (1, 4, 4)), (1, 4, 4))
    x = inputs(case.shape, (-1, 1))
    torch.testing.assert_close(case.net(x), net(x), rtol=1e-12, atol=1e-12)
    for method, options in ANY_SIGN + NOT_NEGATIVE:
        compare(case, x, method, options, (-1, 1), forward=net)


class Twice(nn.Module):
    """One layer read twice in a row; `apart` gives each use a copy of its own."""

    def __init__(self, apart=False):
        super().__init__()
        self.enter, self.middle, self.out = nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3)
        self.act = nn.ReLU()
        self.again = copy.deepcopy(self.middle) if apart else self.middle

    def forward(self, x):
        x = self.act(self.enter(x))
        return self.out(self.act(self.again(self.act(self.middle(x)))))


def test_a_module_used_twice_is_two_layers_of_equal_weights():
    net = randomised(Twice())
    modules = [net.enter, nn.ReLU(), net.middle, nn.ReLU(), net.middle, nn.ReLU(), net.out]
    case = Case(nn.Sequential(*modules), chain_of(modules, (4,)), (4,))
    x = inputs((4,), (-1, 1))
    for method, options in ANY_SIGN + NOT_NEGATIVE:
        compare(case, x, method, options, (-1, 1), forward=net)


class Words(nn.Module):
    """A layer of word vectors, averaged."""

    def __init__(self):
        super().__init__()
        self.words, self.out = nn.Embedding(10, 4), nn.Linear(4, 3)
        self.hidden = nn.Linear(4, 4)

    def forward(self, tokens):
        return self.out(torch.relu(self.hidden(self.words(tokens)).mean(1)))


def test_relevance_of_words_is_that_of_their_vectors():
    net = randomised(Words())
    tokens, targets = torch.tensor([[1, 2, 3], [4, 4, 0]]), torch.tensor([0, 2])
    above = nn.Sequential(net.hidden, Mean(), nn.ReLU(), net.out).eval()
    vectors = net.words(tokens).detach()
    for method, options in ANY_SIGN:
        right = rnnxai.explain(above, vectors, targets, method, **options)
        found = rnnxai.explain(net, tokens, targets, method, **options)
        if found.dim() == 2:
            right = right.sum(-1)
        torch.testing.assert_close(found, right, rtol=0, atol=1e-12 * float(right.abs().max()))


class Mean(nn.Module):
    def forward(self, x):
        return x.mean(1)


# What is not known is refused


class Around(nn.Module):
    """A network around one module that may not be explained."""

    def __init__(self, inside, call=None):
        super().__init__()
        self.enter, self.inside, self.out = nn.Linear(4, 6), inside, nn.Linear(6, 3)
        self.call = call or (lambda module, x: module(x))

    def forward(self, x):
        return self.out(self.call(self.inside, torch.relu(self.enter(x))))


REFUSED = {
    "attention": (
        nn.MultiheadAttention(6, 2, batch_first=True),
        lambda module, x: module(x[:, None], x[:, None], x[:, None])[0][:, 0],
        "inside|MultiheadAttention|attention",
    ),
    "softmax": (nn.Softmax(-1), None, "inside|[Ss]oftmax"),
    "bilinear": (nn.Bilinear(6, 6, 6), lambda module, x: module(x, x), "inside|[Bb]ilinear"),
    "layer norm": (nn.LayerNorm(6), None, "inside|[Ll]ayer_?[Nn]orm"),
    "cosine": (nn.CosineSimilarity(), lambda module, x: x * module(x, x)[:, None], "inside|[Cc]osine"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_explained_is_named(name):
    module, call, word = REFUSED[name]
    net = randomised(Around(module, call))
    x = inputs((4,), (-1, 1))
    for method in ("lrp-0", "dtd"):
        with pytest.raises(Error, match=word):
            rnnxai.explain(net, x, 0, method, bounds=(-1, 1))


# The model is left as it was found


class Noisy(nn.Module):
    """Everything that could be left behind: modes, gradients, buffers, hooks; it may break half-way."""

    def __init__(self, breaks=False):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5))
        self.cell, self.out = nn.LSTM(3, 5, batch_first=True), nn.Linear(5, 3)
        self.breaks = breaks

    def forward(self, x):
        x = self.body(x).unflatten(1, (2, 3))
        x = self.out(self.cell(x)[1][0][0])
        if self.breaks:
            raise RuntimeError("broke")
        return x


def state_of(net):
    hooks = [
        {name: list(value) for name, value in vars(module).items() if "hook" in name and value}
        for module in net.modules()
    ]
    return {
        "modes": [module.training for module in net.modules()],
        "values": [value.clone() for value in net.state_dict().values()],
        "gradients": [p.grad if p.grad is None else p.grad.clone() for p in net.parameters()],
        "wanted": [p.requires_grad for p in net.parameters()],
        "hooks": hooks,
        "classes": [type(module) for module in net.modules()],
        "names": [sorted(vars(module)) for module in net.modules()],
        "random": torch.get_rng_state(),
        "gradients on": torch.is_grad_enabled(),
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and torch.equal(a, b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


METHODS = ["lrp-0", "lrp-eps", "lrp-gamma", "lrp-w2", "lrp-flat", "sa", "gb", "taylor"]
METHODS += ["integrated-gradients", "smoothgrad", "occlusion"]


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("method", METHODS)
def test_the_model_is_left_as_it_was_found(method, breaks):
    net = randomised(Noisy(breaks))
    net.train()
    net.body[0].eval()
    net.body[0].weight.requires_grad_(False)
    net.out.bias.grad = torch.ones(3, dtype=torch.float64)
    called = []
    net.out.register_forward_hook(lambda *given: called.append(1))
    x = inputs((4,), None)
    kept, before = x.clone(), state_of(net)
    options = {"steps": 2} if method == "occlusion" else {}
    if breaks:
        with pytest.raises((Error, RuntimeError), match="broke"):
            rnnxai.explain(net, x, 0, method, **options)
    else:
        rnnxai.explain(net, x, 0, method, **options)
    assert called, "the user's own hooks run"
    after = state_of(net)
    for what in before:
        assert same(before[what], after[what]), what
    assert torch.equal(x, kept)
    assert x.grad is None
    assert not x.requires_grad


def test_gradients_of_a_training_step_are_not_disturbed():
    nets = [randomised(Noisy()) for _ in range(2)]
    x = inputs((4,), None)
    for net, explained in zip(nets, (True, False), strict=True):
        loss = net(x).square().sum()
        if explained:
            rnnxai.explain(net, x, 0, "lrp-eps")
        loss.backward()
    for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("grad", [torch.no_grad, torch.inference_mode])
def test_gradients_may_be_switched_off_outside(grad):
    case = make("two layers")
    x = inputs(case.shape, None)
    right = rnnxai.explain(case.net, x, 1, "lrp-eps")
    with grad():
        found = rnnxai.explain(case.net, x, 1, "lrp-eps")
    assert torch.equal(found, right)
    assert not found.requires_grad


# Relevance inside


@pytest.mark.parametrize("method", ["lrp-0", "lrp-eps", "lrp-w2", "dtd", "lrp-a2b1"])
def test_relevance_of_a_layer_is_what_the_rest_of_the_network_receives(method):
    """The map of a layer's output is the input map of the layers after it."""
    case = make("two layers")
    x = inputs(case.shape, (-1, 1))
    targets = case.net(x).argmax(1)
    found = rnnxai.explain.at_layers(case.net, x, targets, method, layers=["1", "3"], bounds=(-1, 1))
    assert set(found) == {"1", "3"}
    for name, rest in (("1", 2), ("3", 4)):
        hidden = case.net[:rest](x).detach()
        right = rnnxai.explain(case.net[rest:], hidden, targets, method, bounds=(0, INFINITE))
        assert right.any()
        torch.testing.assert_close(found[name], right, rtol=0, atol=1e-12 * float(right.abs().max()))


def test_relevance_of_a_layer_that_is_called_several_times_is_stacked():
    net = randomised(Twice())
    x, targets = inputs((4,), None), torch.tensor([0, 1, 2])
    found = rnnxai.explain.at_layers(net, x, targets, "lrp-0", layers=["middle", "enter"])
    assert found["enter"].shape == (SAMPLES, 5)
    assert found["middle"].shape == (SAMPLES, 2, 5)
    apart = randomised(Twice(apart=True))
    apart.load_state_dict(net.state_dict())
    both = rnnxai.explain.at_layers(apart, x, targets, "lrp-0", layers=["middle", "again"])
    right = torch.stack([both["middle"], both["again"]], 1)
    torch.testing.assert_close(found["middle"], right, rtol=0, atol=1e-12 * float(right.abs().max()))


def test_an_unknown_layer_is_named():
    case = make("two layers")
    with pytest.raises(Error, match="nowhere"):
        rnnxai.explain.at_layers(case.net, inputs(case.shape, None), 0, "lrp-0", layers=["nowhere"])
