import hashlib
from fractions import Fraction

import numpy as np

from rnnxai.data.digits import enlarge
from rnnxai.data.source import load_source


def catmull_rom(distance: Fraction) -> Fraction:
    u = abs(distance)
    if u <= 1:
        return Fraction(3, 2) * u**3 - Fraction(5, 2) * u**2 + 1
    if u <= 2:
        return -Fraction(1, 2) * u**3 + Fraction(5, 2) * u**2 - 4 * u + 2
    return Fraction(0)


def enlarged_pixel(image: np.ndarray, row: int, column: int) -> int:
    def weight(large: int, small: int) -> Fraction:
        return catmull_rom(Fraction(2 * large + 1, 2) * Fraction(8, 20) - Fraction(2 * small + 1, 2))

    total = sum(
        weight(row, i) * weight(column, j) * int(image[i, j]) * Fraction(255, 16)
        for i in range(8)
        for j in range(8)
    )
    return min(max(int((total + Fraction(1, 2)) // 1), 0), 255)


def test_enlarging_is_bicubic() -> None:
    image = np.random.default_rng(0).integers(0, 17, (1, 8, 8), np.uint8)
    large = enlarge(image)[0]
    expected = [[enlarged_pixel(image[0], i, j) for j in range(20)] for i in range(20)]
    assert large[4:24, 4:24].tolist() == expected
    assert large.sum() == large[4:24, 4:24].sum(), "the margin is empty"


def test_white_stays_white_and_black_stays_black() -> None:
    assert enlarge(np.full((1, 8, 8), 16, np.uint8))[0, 10:18, 10:18].min() == 255
    assert enlarge(np.zeros((1, 8, 8), np.uint8)).max() == 0


def test_the_source() -> None:
    source = load_source("digits")
    assert source.images.shape == (1797, 28, 28) and source.train_count == 1500
    assert source.images.min() == 0 and source.images.max() == 255
    test = np.bincount(source.labels[1500:])
    assert test.sum() == 297 and set(test) <= {29, 30}, "the test part is stratified"


def test_the_content_is_fixed() -> None:
    source = load_source("digits")
    content = source.images.tobytes() + source.labels.tobytes()
    assert (
        hashlib.sha256(content).hexdigest()
        == "895032eaa4c2d4fe021a033c3edf465872ee7dbea8547d20d77e3c38f80b969c"
    )
