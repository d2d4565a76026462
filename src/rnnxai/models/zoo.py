"""The architectures by name. A new cell is one file in :mod:`rnnxai.models.cells` and one line here."""

from rnnxai.registry import Entry, Registry

MODELS = Registry(
    "architecture",
    {
        "shallow": Entry(
            "rnnxai.models.cells.shallow:Shallow",
            "one hidden layer reads pixels and recurrent state together",
        ),
        "deep": Entry(
            "rnnxai.models.cells.deep:Deep",
            "pixels are encoded before they meet the recurrent state",
        ),
        "r-lstm": Entry(
            "rnnxai.models.cells.r_lstm:RLSTM",
            "an LSTM with a ReLU candidate and no tanh after the cell",
        ),
    },
)
