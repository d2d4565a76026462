"""Small pictures, and figures as they are."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from rnnxai.errors import Error
from rnnxai.report.pictures import LEVELS, colour_bar_png, figure_picture, grey_png, heatmap_png


def colours(content):
    with Image.open(BytesIO(content)) as image:
        assert image.mode == "P"
        return np.asarray(image.convert("RGB")).astype(int)


def test_red_is_for_and_blue_against_on_a_symmetric_scale():
    heatmap = np.array([[4.0, -4.0, 0.0, 2.0, -2.0]])
    ((most, least, zero, some, little),) = colours(heatmap_png(heatmap))
    assert most[0] > most[2] + 50 and least[2] > least[0] + 50
    assert zero.min() >= 240
    assert most[1] < some[1] < zero[1] and least[1] < little[1] < zero[1]
    assert np.array_equal(colours(heatmap_png(7 * heatmap)), colours(heatmap_png(heatmap)))


def test_a_map_of_zeros_is_pale_all_over():
    found = colours(heatmap_png(np.zeros((3, 4)))).reshape(-1, 3)
    assert len(np.unique(found, axis=0)) == 1 and found.min() >= 240


def test_colours_of_the_bar_are_those_of_the_maps():
    ramp = np.linspace(-1, 1, LEVELS)[None]
    assert np.array_equal(colours(colour_bar_png()), colours(heatmap_png(ramp)))


def test_pictures_are_grey():
    found = colours(grey_png(np.array([[0, 128, 255]], dtype=np.uint8)))
    assert (found[..., 0] == found[..., 2]).all()
    assert list(found[0, :, 0]) == pytest.approx([0, 128, 255], abs=9)


def test_maps_are_small():
    noise = np.random.default_rng(0).normal(size=(28, 84))
    assert len(heatmap_png(noise)) < 2_400


def save(path, size=(30, 20), noise=False):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels if noise else pixels * 0).save(path)


@pytest.mark.parametrize(("letters", "kind"), [(10, "image/svg+xml"), (100_000, "image/png")])
def test_the_smaller_file_of_a_figure_is_taken(tmp_path, letters, kind):
    save(tmp_path / "a.b.png")
    (tmp_path / "a.b.svg").write_text(" " * letters)
    picture = figure_picture(tmp_path / "a.b")
    assert (picture.kind, picture.size) == (kind, (30, 20))
    assert picture.address.startswith(f"data:{kind};base64,")


def test_a_figure_without_svg_is_a_png(tmp_path):
    save(tmp_path / "a.png")
    assert figure_picture(tmp_path / "a").content == (tmp_path / "a.png").read_bytes()


def test_a_large_figure_is_reduced(tmp_path):
    save(tmp_path / "a.png", (2640, 400), noise=True)
    picture = figure_picture(tmp_path / "a")
    assert picture.size == (2640, 400)
    assert len(picture.content) < 600_000 < (tmp_path / "a.png").stat().st_size
    with Image.open(BytesIO(picture.content)) as image:
        assert image.size == (1320, 200)


def test_a_broken_figure_is_named(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(Error, match=r"a\.png: not readable as a PNG picture"):
        figure_picture(tmp_path / "a")
