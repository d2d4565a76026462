"""What the oracles share."""

import networks
import pytest


@pytest.fixture
def images():
    """Three images, of whose pixels a quarter is at either bound."""
    return networks.some_images()


@pytest.fixture
def make_net():
    """Return the function that builds a tiny float64 network with weights of some kind."""
    return networks.make_net
