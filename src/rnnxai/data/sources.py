"""The table of image sources. To add one, write its loader and name it here.

A loader of images that come with an installed package takes no arguments, like `digits`; any other takes the
data folder and how to fill it, like `mnist`. A loader of your own needs no line here: name it in the
configuration, ``source: package.module:function``.
"""

from rnnxai.registry import Entry, Registry

SOURCES = Registry(
    "source",
    {
        "mnist": Entry("rnnxai.data.idx:mnist", "handwritten digits, 60,000 + 10,000 images"),
        "fashion-mnist": Entry("rnnxai.data.idx:fashion_mnist", "pieces of clothing, 60,000 + 10,000 images"),
        "digits": Entry("rnnxai.data.digits:digits", "small handwritten digits, 1,500 + 297, no download"),
    },
)
