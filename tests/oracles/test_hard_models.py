"""Models that are easily got wrong in silence: books per sample, and one way of writing against another."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import rnnxai

RULES = ["lrp-0", "lrp-eps", "lrp-gamma", "lrp-w2", "lrp-flat"]
POSITIVE = ["dtd", "lrp-a2b1", "lrp-zplus"]
BOUNDS = (-3, 3)


def inputs(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64).clamp(
        -2.9, 2.9
    )


class Model(nn.Module):
    """Layers by name, and a forward pass that a test writes."""

    def __init__(self, forward, **layers):
        super().__init__()
        torch.manual_seed(1)
        for name, make in layers.items():
            setattr(self, name, make())
        self.run = forward
        self.double().eval()

    def forward(self, *arguments):
        return self.run(self, *arguments)


def linear(*sizes):
    return lambda: nn.Linear(*sizes)


def explained(model, x, method, **options):
    """Return the map after a look at the books of every sample, and at every sample by itself."""
    relevance, ledger = rnnxai.explain(model, x, None, method, return_ledger=True, **options)
    size = relevance.abs().flatten(1).sum(1).numpy() + abs(ledger.start)
    assert (abs(ledger.residual) <= 1e-11 * size).all()
    for n in range(len(x)):
        alone = rnnxai.explain(model, x[n : n + 1], None, method, **options)
        torch.testing.assert_close(alone[0], relevance[n], rtol=1e-9, atol=1e-13)
    return relevance


def same(first, second, methods, x, **options):
    for method in methods:
        found, right = (explained(model, x, method, **options) for model in (first, second))
        assert right.any()
        torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-13)


def put_into_zeros(self, x):
    padded = x.new_zeros(len(x), 9)
    padded[:, :6] = x
    return self.o(F.relu(self.a(padded)))


def padded(self, x):
    return self.o(F.relu(self.a(F.pad(x, (0, 3)))))


def test_pixels_that_are_put_into_a_buffer_keep_their_bounds():
    layers = {"a": linear(9, 8), "o": linear(8, 3)}
    same(
        Model(put_into_zeros, **layers),
        Model(padded, **layers),
        ["lrp-0", *POSITIVE],
        inputs(3, 6),
        bounds=BOUNDS,
    )


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_what_a_buffer_held_is_booked(fill):
    def run(self, x):
        buffer = x.new_full((len(x), 9), fill)
        buffer[:, :6] = F.relu(self.a(x))
        return self.o(buffer)

    model = Model(run, a=linear(6, 6), o=linear(9, 3))
    for method in (*RULES, *POSITIVE):
        explained(model, inputs(3, 6), method, bounds=BOUNDS)


def test_a_buffer_that_begins_as_anything_is_what_is_put_there():
    def run(self, x):
        buffer = x.new_empty(len(x), 2, 3)
        buffer[:, 0] = -torch.inf  # what memory may hold
        for t in range(2):
            buffer[:, t] = F.relu(self.a(x.view(-1, 2, 3)[:, t]))
        return self.o(buffer.flatten(1))

    def stacked(self, x):
        return self.o(torch.stack([F.relu(self.a(x.view(-1, 2, 3)[:, t])) for t in range(2)], 1).flatten(1))

    layers = {"a": linear(3, 3), "o": linear(6, 3)}
    same(Model(run, **layers), Model(stacked, **layers), [*RULES, *POSITIVE], inputs(3, 6), bounds=BOUNDS)


def test_tied_weights_have_their_own_biases():
    def run(self, x):
        return self.o(F.relu(self.b(F.relu(self.a(x)))))

    model = Model(run, a=linear(6, 6), b=linear(6, 6), o=linear(6, 3))
    model.a.weight.data.copy_(model.b.weight.data)
    tied = Model(run, a=linear(6, 6), b=linear(6, 6), o=linear(6, 3))
    tied.load_state_dict(model.state_dict())
    tied.b.weight = tied.a.weight
    same(tied, model, [*RULES, *POSITIVE], inputs(3, 6), bounds=BOUNDS)


def test_a_layer_reads_the_input_at_one_place_and_hidden_values_at_another():
    def run(self, x):
        return self.o(F.relu(self.b(F.relu(self.a(x)))))

    two = Model(run, a=linear(6, 6), b=linear(6, 6), o=linear(6, 3))
    two.b.load_state_dict(two.a.state_dict())
    one = Model(run, a=linear(6, 6), b=linear(6, 6), o=linear(6, 3))
    one.load_state_dict(two.state_dict())
    one.b = one.a
    same(one, two, [*POSITIVE, "lrp-eps-gamma-box"], inputs(3, 6), bounds=BOUNDS)
    rules = {"input": "z-b", "*": "lrp-gamma"}
    same(one, two, ["lrp"], inputs(3, 6), bounds=BOUNDS, rules=rules)


@pytest.mark.parametrize("method", ["integrated-gradients", "smoothgrad"])
def test_a_norm_shared_by_layers_whose_weights_are_computed(method):
    """Every pass makes these weights anew, and nothing may remember them by where they were."""

    def run(self, x):
        return self.o(sum(F.relu(self.norm(layer(x.unsqueeze(1)))) for layer in self.layers).flatten(1))

    def layers():
        return nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv1d(1, 4, 3, padding=1)) for _ in range(6)
        )

    model = Model(run, layers=layers, norm=lambda: nn.BatchNorm1d(4), o=linear(24, 3))
    x = inputs(3, 6)
    first, second = (rnnxai.explain(model, x, 0, method) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)
    if method == "integrated-gradients":
        fall = model(x)[:, 0] - model(torch.zeros_like(x))[:, 0]
        torch.testing.assert_close(first.sum(1), fall.detach(), rtol=0.05, atol=0.02)


def test_a_layer_behind_the_end_of_a_packed_sequence_belongs_to_that_sequence():
    lengths = torch.tensor([4, 2, 3])

    def run(self, x):
        packed = pack_padded_sequence(x, lengths[: len(x)], batch_first=True, enforce_sorted=False)
        return self.o(pad_packed_sequence(self.g(packed)[0], batch_first=True, total_length=4)[0]).mean(1)

    model = Model(run, g=lambda: nn.GRU(2, 5, batch_first=True), o=linear(5, 3))
    x = inputs(3, 4, 2)
    for method in RULES:
        relevance, ledger = rnnxai.explain(model, x, 0, method, return_ledger=True)
        size = relevance.abs().sum((1, 2)).numpy() + abs(ledger.start)
        assert (abs(ledger.residual) <= 1e-11 * size).all(), method


MAXIMA = {
    "maximum of a constant": lambda a: torch.maximum(a, torch.full((8,), 0.3, dtype=a.dtype)),
    "max of a constant": lambda a: torch.max(a, torch.full((8,), 0.3, dtype=a.dtype)),
    "minimum of a constant": lambda a: torch.minimum(a, torch.full((8,), 0.3, dtype=a.dtype)),
    "maximum of two": lambda a: torch.maximum(a, a.flip(-1)),
}


@pytest.mark.parametrize("name", MAXIMA)
def test_the_larger_of_two_takes_all(name):
    model = Model(lambda self, x: self.o(MAXIMA[name](F.relu(self.a(x)))), a=linear(6, 8), o=linear(8, 3))
    for method in (*RULES, *POSITIVE):
        explained(model, inputs(3, 6), method, bounds=BOUNDS)


def test_a_maximum_with_zero_is_a_relu():
    layers = {"a": linear(6, 8), "o": linear(8, 3)}
    first = Model(lambda self, x: self.o(torch.maximum(self.a(x), x.new_zeros(()))), **layers)
    second = Model(lambda self, x: self.o(F.relu(self.a(x))), **layers)
    same(first, second, [*RULES, *POSITIVE], inputs(3, 6), bounds=BOUNDS)
    assert rnnxai.explain(first, inputs(3, 6), 0, "gb").equal(rnnxai.explain(second, inputs(3, 6), 0, "gb"))


def test_a_mask_on_a_sigmoid_layer_is_no_state():
    mask = torch.tensor([1.0, 0, 1, 1, 0, 1, 1, 1], dtype=torch.float64)
    layers = {"a": linear(6, 8), "o": linear(8, 3)}
    masked = Model(lambda self, x: self.o(torch.sigmoid(self.a(x)) * mask), **layers)
    divided = Model(lambda self, x: self.o(torch.sigmoid(self.a(x)) / (1 / mask)), **layers)
    same(masked, divided, RULES, inputs(3, 6))


def test_only_one_minus_a_gate_is_a_gate():
    model = Model(lambda self, x: self.o(torch.sigmoid(self.a(x)) + 5), a=linear(6, 8), o=linear(8, 3))
    _, ledger = rnnxai.explain(model, inputs(3, 6), 0, "lrp-0", return_ledger=True)
    kept = ledger.table().set_index("layer")["bias"]
    assert abs(kept["add"]) > 0


TOKENS = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 7], [3, 3, 0, 1]])
READERS = {
    "as they are": lambda self, t: self.e(t).sum(1),
    "turned": lambda self, t: self.e(t.t()).sum(0),
    "cut": lambda self, t: self.e(t[:, 1:]).sum(1) + self.e(t[:, 0]),
    "with positions": lambda self, t: (self.e(t) + self.p(torch.arange(4).expand(t.shape))).sum(1),
    "cast": lambda self, t: self.e(t.int().long()).sum(1),
}


@pytest.mark.parametrize("name", READERS)
def test_relevance_of_tokens_is_where_they_are(name):
    layers = {"e": lambda: nn.Embedding(9, 5), "p": lambda: nn.Embedding(4, 5), "o": linear(5, 3)}
    model = Model(lambda self, t: self.o(torch.tanh(READERS[name](self, t))), **layers)
    plain = Model(lambda self, t: self.o(torch.tanh(READERS["as they are"](self, t))), **layers)
    for method in ("lrp-0", "lrp-gamma"):
        found = explained(model, TOKENS, method)
        assert found.shape == TOKENS.shape
        if name != "with positions" and method == "lrp-0":  # gamma divides a sum of sums otherwise
            right = rnnxai.explain(plain, TOKENS, method=method)
            torch.testing.assert_close(found, right, rtol=1e-9, atol=1e-13)


def test_tokens_that_were_changed_are_refused():
    model = Model(
        lambda self, t: self.o(self.e((t + 1) % 9).sum(1)), e=lambda: nn.Embedding(9, 5), o=linear(5, 3)
    )
    with pytest.raises(rnnxai.Error, match="tokens that were changed"):
        rnnxai.explain(model, TOKENS, 0, "lrp-0")


@pytest.mark.parametrize("method", ["integrated-gradients", "smoothgrad", "occlusion"])
def test_several_passes_are_defined_at_the_input_alone(method):
    model = Model(lambda self, x: self.o(F.relu(self.a(x))), a=linear(6, 8), o=linear(8, 3))
    with pytest.raises(rnnxai.Error, match="defined at the input alone"):
        rnnxai.explain.at_layers(model, inputs(3, 6), 0, method, layers=["a"])


def test_the_relevance_of_a_layer_that_is_normed_later():
    def run(self, x):
        first, second = self.c(x.unsqueeze(1)), self.c(x.flip(-1).unsqueeze(1))
        return self.o((F.relu(self.norm(first)) + 2 * F.relu(self.norm(second)) + first).flatten(1))

    layers = {
        "c": lambda: nn.Conv1d(1, 4, 3, padding=1),
        "norm": lambda: nn.BatchNorm1d(4),
        "o": linear(24, 3),
    }
    model = Model(run, **layers)
    found = rnnxai.explain.at_layers(model, inputs(3, 6), 0, "lrp-gamma", layers=["c", "o"])
    _, ledger = rnnxai.explain(model, inputs(3, 6), 0, "lrp-gamma", return_ledger=True)
    assert found["c"].shape == (3, 2, 4, 6)
    assert (found["c"].flatten(2).abs().sum(2) > 0).all()
    rows = ledger.table().groupby("layer")["incoming"].sum()
    assert found["c"].sum().item() == pytest.approx(rows["c"], rel=1e-9)


def test_a_model_that_mixes_samples_is_refused_where_it_shows():
    model = Model(
        lambda self, x: self.o(F.relu(self.a(x) - self.a(x).mean(0))), a=linear(6, 8), o=linear(8, 3)
    )
    with pytest.raises(rnnxai.Error, match="mixes the samples of a batch"):
        rnnxai.explain(model, inputs(3, 6), 0, "lrp-0", return_ledger=True)


def test_the_input_is_not_written_over():
    model = Model(lambda self, x: self.o(F.relu(x.sub_(0.5), inplace=True)), o=linear(6, 3))
    x = inputs(3, 6)
    before = x.clone()
    for method in ("lrp-eps", "sa", "occlusion"):
        options = {"steps": 2} if method == "occlusion" else {}
        rnnxai.explain(model, x, 0, method, **options)
        assert x.equal(before)


def test_one_score_may_come_without_an_axis():
    flat = Model(lambda self, x: self.o(F.relu(self.a(x))).squeeze(1), a=linear(6, 8), o=linear(8, 1))
    plain = Model(lambda self, x: self.o(F.relu(self.a(x))), a=linear(6, 8), o=linear(8, 1))
    for method in ("lrp-gamma", "sa", "integrated-gradients"):
        found = rnnxai.explain(flat, inputs(3, 6), method=method)
        torch.testing.assert_close(found, rnnxai.explain(plain, inputs(3, 6), method=method))


FOREIGN = {
    "bounds in a list": {"bounds": [-3, 3]},
    "bounds in a tensor": {"bounds": torch.tensor([-3.0, 3.0])},
}


@pytest.mark.parametrize("name", FOREIGN)
def test_bounds_may_be_any_two_numbers(name):
    model = Model(lambda self, x: self.o(F.relu(self.a(x))), a=linear(6, 8), o=linear(8, 3))
    found = rnnxai.explain(model, inputs(3, 6), 0, "dtd", **FOREIGN[name])
    assert found.equal(rnnxai.explain(model, inputs(3, 6), 0, "dtd", bounds=BOUNDS))


WRONG = {
    "words as bounds": ({"bounds": ("-3", "3")}, "are not a range"),
    "nothing as a target": ({"targets": [None] * 3}, "class indices, one for each sample"),
    "a tensor of arguments": ({"forward_args": torch.ones(2)}, "a tuple of the model's further arguments"),
    "a baseline of its own for each": (
        {"method": "integrated-gradients", "baseline": torch.zeros(3, 6)},
        "is no value of an input",
    ),
    "an axis between others": ({"method": "occlusion", "axis": 1.0, "steps": 2}, "axis = 1.0 is no axis"),
}


@pytest.mark.parametrize("name", WRONG)
def test_bad_arguments_are_named(name):
    model = Model(lambda self, x: self.o(F.relu(self.a(x))), a=linear(6, 8), o=linear(8, 3))
    changed, message = WRONG[name]
    with pytest.raises(rnnxai.Error, match=message):
        rnnxai.explain(model, inputs(3, 6), **({"targets": 0, "method": "lrp-0"} | changed))


def test_a_function_is_no_model():
    with pytest.raises(rnnxai.Error, match=r"the model is of type function; a torch\.nn\.Module"):
        rnnxai.explain(lambda x: x, inputs(3, 6), 0)


def test_autocast_is_named():
    def run(self, x):
        with torch.autocast("cpu", torch.bfloat16):
            return self.o(F.relu(self.a(x)))

    model = Model(run, a=linear(6, 8), o=linear(8, 3)).float()
    with pytest.raises(rnnxai.Error, match="autocast"):
        rnnxai.explain(model, inputs(3, 6).float(), 0, "lrp-eps")
