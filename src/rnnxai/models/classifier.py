"""A recurrent classifier of images: cuts them into steps and unrolls a cell over these."""

from collections.abc import Sequence

from torch import Generator, Tensor, nn

from rnnxai.errors import Error
from rnnxai.models.cells.cell import Cell
from rnnxai.models.dropout import Dropout
from rnnxai.models.layers import PartedLinear, time_step
from rnnxai.models.unrolling import unrolling


class Classifier(nn.Module):
    """Reads an image from left to right in T column patches and classifies it after the last.

    Parameters
    ----------
    cell : Cell
        The recurrent core, for K folds.
    image_size : tuple of int
        Height and width in pixels. T divides the width.
    steps : int
        T, the number of time steps.
    folds : int
        K, the number of networks in the stack.

    Attributes
    ----------
    bounds : tuple of float
        Range of the input pixels, which the z^B rule needs.
    """

    bounds = (-1.0, 1.0)

    def __init__(self, cell: Cell, image_size: tuple[int, int], steps: int, folds: int = 1) -> None:
        super().__init__()
        self.cell = cell
        self.image_size = image_size
        self.steps = steps
        self.folds = folds

    def forward(self, images: Tensor) -> Tensor:
        """Classify images.

        Parameters
        ----------
        images : Tensor (N, 1, H, W), or (K, N, 1, H, W) for a stack
            Pixels in [-1, 1].

        Returns
        -------
        Tensor (N, classes), or (K, N, classes) for a stack
            Logits.

        Raises
        ------
        Error
            If the shape does not fit the model.
        """
        plain = images.dim() == 4
        stack = images.unsqueeze(0) if plain else images
        if (
            stack.dim() != 5
            or stack.shape[0] != self.folds
            or tuple(stack.shape[2:]) != (1, *self.image_size)
        ):
            height, width = self.image_size
            folds = "" if self.folds == 1 else f"{self.folds}, "
            raise Error(
                f"images have shape {tuple(images.shape)}; this model takes ({folds}N, 1, {height}, {width})"
            )
        logits = self.classify(self.patches(stack))
        return logits.squeeze(0) if plain else logits

    def patches(self, images: Tensor) -> Tensor:
        """Cut images (K, N, 1, H, W) into steps (K, T, N, H * W / T), each patch row by row."""
        height, width = self.image_size
        folds, count = images.shape[:2]
        columns = images.reshape(folds, count, height, self.steps, width // self.steps)
        return columns.permute(0, 3, 1, 2, 4).reshape(folds, self.steps, count, -1)

    def classify(self, patches: Tensor) -> Tensor:
        """Unroll the cell over patches (K, T, N, features) and return logits (K, N, classes)."""
        with unrolling() as present:
            prepared = self.cell.prepare(patches)
            state = None
            for step, item in enumerate(prepared):
                time_step(step, patches)
                present.steps_left = len(prepared) - step
                state = self.cell.step(item, state)
            return self.cell.readout(state)

    def draw_masks_from(self, generators: Sequence[Generator]) -> None:
        """Let dropout draw each fold's masks from its own generator, or those of all folds from one."""
        for module in self.modules():
            if isinstance(module, Dropout):
                module.generators = generators

    def affine_layers(self) -> dict[str, PartedLinear]:
        """Return the layers that hold weights, convolutions too, by their dotted name inside the cell."""
        modules = self.cell.named_modules()
        return {name: layer for name, layer in modules if isinstance(layer, PartedLinear)}
