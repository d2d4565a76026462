"""Exit codes of the program. They never change."""

OK = 0
USAGE = 2
"""The command line makes no sense; argparse says so."""
BAD_INPUT = 3
"""Something that the command was asked about is missing, broken, or not what it should be."""
NOT_MET = 4
"""A condition that was asked for does not hold: a method cannot explain a model, a gate is not passed."""
DAMAGED = 5
"""A file failed its verification."""
INTERRUPTED = 130
"""Control-C, as shells have it."""
NO_READER = 141
"""Whoever read the output has gone away, as shells have it."""
