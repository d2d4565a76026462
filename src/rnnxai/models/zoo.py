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
        "deep-v2": Entry(
            "rnnxai.models.cells.deep_v2:DeepV2",
            "deep with one more layer between pixels and state",
        ),
        "conv-deep": Entry(
            "rnnxai.models.cells.conv_deep:ConvDeep",
            "deep behind two convolutions",
        ),
        "deep-sd": Entry(
            "rnnxai.models.cells.deep_sd:DeepSD",
            "deep with stationary dropout: one mask for all steps",
        ),
        "r-lstm": Entry(
            "rnnxai.models.cells.r_lstm:RLSTM",
            "an LSTM with a ReLU candidate and no tanh after the cell",
        ),
        "r-lstm-sd": Entry(
            "rnnxai.models.cells.r_lstm_sd:RLSTMSD",
            "r-lstm with stationary dropout",
        ),
        "conv-plus-deep": Entry(
            "rnnxai.models.cells.conv_plus_deep:ConvPlusDeep",
            "conv-deep whose convolutions also read their own past",
        ),
        "conv-r-lstm-sd": Entry(
            "rnnxai.models.cells.conv_r_lstm_sd:ConvRLSTMSD",
            "r-lstm-sd behind two convolutions",
        ),
        "conv-plus-r-lstm-sd": Entry(
            "rnnxai.models.cells.conv_plus_r_lstm_sd:ConvPlusRLSTMSD",
            "conv-r-lstm-sd whose convolutions also read their own past",
        ),
        "lenet": Entry(
            "rnnxai.models.cells.lenet:LeNet",
            "three convolutions over the whole image, in one step",
        ),
        "mnist-cnn": Entry(
            "rnnxai.models.cells.mnist_cnn:MnistCNN",
            "two convolutions and three layers with leaky ReLUs, in one step",
        ),
    },
)
