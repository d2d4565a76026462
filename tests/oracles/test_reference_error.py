"""The errors that ``rnnxai methods`` prints are still true."""

import pytest
from comparison import GRADIENTS, RELEVANCE, errors_of

from rnnxai.cli.methods import measured

AGAIN = "run: python benchmarks/reference_error.py src/rnnxai/cli/reference_error.csv"


def test_all_that_is_compared_was_measured():
    assert {name for name, _ in measured()} == {
        case[0] for case in [*RELEVANCE.values(), *GRADIENTS.values()]
    }, AGAIN
    assert max(error for _, error in measured()) <= 1e-9


@pytest.mark.parametrize("architecture, steps", [("shallow", 4), ("r-lstm", 2), ("lenet", 1)])
def test_no_error_has_grown(architecture, steps):
    said = dict(measured())
    grown = {
        name: (error, said[name])
        for name, error in errors_of(architecture, steps).items()
        if not error <= 10 * said[name]
    }
    assert not grown, AGAIN
