"""What a training run depends on."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrainSettings(BaseModel):
    """The settings of a training run; the defaults are the thesis'."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    epochs: int = Field(100, ge=1, description="Passes over the training set. There is no early stopping.")
    batch_size: int = Field(50, ge=1, description="Sequences per step and fold.")
    learning_rate: float = Field(2e-4, gt=0, allow_inf_nan=False, description="Adam's, constant.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Probability that a unit is dropped, where any is.")
    bias_init: Literal["thesis", "none", "plain"] = Field(
        "thesis",
        description="thesis: bias -softplus(b), -0.01 at the start, trainable; none: no bias; plain: from 0.",
    )
    pooling: Literal["thesis", "sum", "average", "max"] | None = Field(
        None, description="Pooling of an architecture that pools; null: its own."
    )
    initial_scale: float = Field(
        1.0, gt=0, allow_inf_nan=False, description="Factor on the spread of the initial weights."
    )
    seed: int = Field(0, ge=0, description="Seed of initial weights, order and dropout of every fold.")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="What a step computes in. Weights, their updates and the loss are float32 in any case.",
    )
    shared_masks: bool = Field(
        False, description="Whether the folds of a stack drop the same units: faster, but not independent."
    )
    threads: int = Field(
        1, ge=1, description="CPU threads of one job. Results depend on it in the last bits."
    )
    device: Literal["cpu", "cuda", "auto"] = Field(
        "cpu", description="Where to train. A job that asks for cuda and finds none stops."
    )
