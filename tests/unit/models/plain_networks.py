"""One network of a stack, written out from its equations with one step after the other."""

import torch
from torch.nn.functional import conv2d, linear, pad


class Plain:
    """Network k of a stack, with the masks that its dropout is to use, by name.

    A mask is used at all steps if it has no axis of steps and no step in its name.
    """

    def __init__(self, model, k, masks=None, pooling="thesis"):
        self.model, self.k, self.masks, self.pooling = model, k, masks or {}, pooling

    def __call__(self, images, architecture):
        width = images.shape[-1] // self.model.steps
        xs = [images[..., t * width : (t + 1) * width] for t in range(self.model.steps)]
        return getattr(self, architecture.replace("-", "_"))(xs)

    def parameters(self, name):
        layer = self.model.cell.get_submodule(name)
        if layer.bias is None:
            return layer.weight[self.k], None
        bias = layer.bias[self.k]
        return layer.weight[self.k], -torch.log1p(bias.exp()) if layer.bias_form == "negative" else bias

    def layer(self, name, *x):
        weight, bias = self.parameters(name)
        return linear(torch.cat([part.flatten(1) for part in x], 1), weight, bias)

    def convolve(self, name, *x, same=True):
        weight, bias = self.parameters(name)
        height, width = (side - 1 if same else 0 for side in weight.shape[-2:])
        margins = (width // 2, width - width // 2, height // 2, height - height // 2)
        return conv2d(pad(torch.cat(x, 1), margins), weight, bias)

    def pool(self, x):
        reduce = {
            "thesis": lambda window: 2 * window.mean((-2, -1)),
            "sum": lambda window: window.sum((-2, -1)),
            "average": lambda window: window.mean((-2, -1)),
            "max": lambda window: window.amax((-2, -1)),
        }[self.pooling]
        rows, columns = range(0, x.shape[-2], 2), range(0, x.shape[-1], 2)
        return torch.stack(
            [torch.stack([reduce(x[..., i : i + 2, j : j + 2]) for j in columns], -1) for i in rows], -2
        )

    def drop(self, name, x, t=None):
        mask = self.masks.get(name, self.masks.get(f"{name} {t}"))
        if mask is None:
            return x
        mask = mask[self.k]
        return x * (mask if mask.dim() == x.dim() else mask[t])

    def zeros(self, x, name):
        return x.new_zeros(len(x), self.model.cell.get_submodule(name).weight.shape[1])

    def shallow(self, xs):
        r = self.zeros(xs[0], "recurrent")
        for t, x in enumerate(xs):
            if t:
                r = self.layer("recurrent", self.drop("h to r", h, t)).relu()  # noqa: F821
            h = self.layer("hidden", x, r).relu()
        return self.layer("output", h)

    def deep(self, inputs, core=""):
        r = self.zeros(inputs[0], f"{core}recurrent")
        for t, x in enumerate(inputs):
            if t:
                r = self.layer(f"{core}recurrent", self.drop("h to r", h, t)).relu()  # noqa: F821
            e = self.drop("e twice", self.layer(f"{core}encoder", x).relu(), t)
            h = self.layer(f"{core}hidden", e, self.drop("r in [e ; r]", r, t)).relu()
        o = self.layer(f"{core}decoder", self.drop("last h", h)).relu()
        return self.layer(f"{core}output", o)

    def r_lstm(self, inputs, core=""):
        c = h = self.zeros(inputs[0], f"{core}candidate")
        for t, x in enumerate(inputs):
            e = self.drop("e", self.layer(f"{core}encoder", x).relu(), t)
            i, f, o = torch.split(self.layer(f"{core}gates", e, h).sigmoid(), c.shape[1], dim=1)
            c = f * c + i * self.layer(f"{core}candidate", e, h).relu()
            h = self.drop("h", o * c, t)
        return self.layer(f"{core}output", h)

    def deep_v2(self, xs):
        firsts = [self.drop("first", self.layer("first", x).relu(), t) for t, x in enumerate(xs)]
        return self.deep(firsts, "core.")

    def encoded_laterally(self, xs):
        """Encode with states of zeros at the start."""
        past = None
        for x in xs:
            if past is None:
                channels = [
                    self.model.cell.get_submodule(f"convolutions.conv{n}").weight.shape[1] for n in (1, 2)
                ]
                small = self.pool(x)
                past = [
                    image.expand(-1, n, -1, -1) * 0 for image, n in zip((x, small), channels, strict=True)
                ]
            a = self.convolve("convolutions.conv1", x, past[0]).relu()
            b = self.convolve("convolutions.conv2", self.pool(a), past[1]).relu()
            past = [a, b]
            yield self.pool(b)

    def encoded_alone(self, xs):
        for x in xs:
            a = self.convolve("convolutions.conv1", x).relu()
            yield self.pool(self.convolve("convolutions.conv2", self.pool(a)).relu())

    def conv_deep(self, xs):
        return self.deep(list(self.encoded_alone(xs)), "core.")

    def conv_plus_deep(self, xs):
        return self.deep(list(self.encoded_laterally(xs)), "core.")

    def conv_r_lstm_sd(self, xs):
        return self.r_lstm(list(self.encoded_alone(xs)), "core.")

    def conv_plus_r_lstm_sd(self, xs):
        return self.r_lstm(list(self.encoded_laterally(xs)), "core.")

    deep_sd = deep
    r_lstm_sd = r_lstm

    def lenet(self, xs):
        (x,) = xs
        for name, same in (("conv1", True), ("conv2", False), ("conv3", False)):
            x = self.pool(self.convolve(name, x, same=same).relu())
        return self.layer("output", x)

    def mnist_cnn(self, xs):
        (x,) = xs
        for name in ("conv1", "conv2"):
            x = self.pool(leaky(self.convolve(name, x)))
        c = leaky(self.layer("hidden1", self.drop("b", x.flatten(1))))
        d = leaky(self.layer("hidden2", self.drop("c", c)))
        return self.layer("output", self.drop("d", d))


def leaky(z):
    return torch.where(z > 0, z, 0.01 * z)


def masks_of(architecture, steps=4):
    """Return the names of the masks of a forward pass, in the order in which they are drawn."""
    deep = [
        "e twice",
        *(f"{name} {t}" for t in range(1, steps) for name in ("h to r", "r in [e ; r]")),
        "last h",
    ]
    names = ("e twice", "h to r", "r in [e ; r]")
    stepwise = [f"{name} {t}" for t in range(steps) for name in (names if t else names[:1])]
    return {
        "shallow": [f"h to r {t}" for t in range(1, steps)],
        "deep": deep,
        "deep-v2": ["first", *deep],
        "deep-sd": ["e twice", "r in [e ; r]", "h to r", "last h"],
        "conv-deep": deep,
        "conv-plus-deep": [*stepwise, "last h"],
        "r-lstm": ["e", *(f"h {t}" for t in range(steps))],
        "r-lstm-sd": ["e", "h"],
        "conv-r-lstm-sd": ["e", "h"],
        "conv-plus-r-lstm-sd": ["e", "h"],
        "lenet": [],
        "mnist-cnn": ["b", "c", "d"],
    }[architecture]
