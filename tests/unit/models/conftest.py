"""Small sizes for every architecture."""

import pytest


@pytest.fixture
def sizes():
    """Return the layer sizes of small networks, by architecture."""
    return {
        "shallow": {"hidden": 7, "recurrent": 5},
        "deep": {"encoder": 6, "hidden": 7, "recurrent": 5, "decoder": 4},
        "r-lstm": {"encoder": 6, "cells": 5},
    }
