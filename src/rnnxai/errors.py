"""The one exception class of the public boundary, and the one that is no error."""


class Error(ValueError):
    """A request that cannot be met as it stands.

    The message names the thing (file, key, layer, step or shape), the value that was found and what
    would be right. Everything the package raises on bad input is of this class; any other exception
    that reaches a user is a bug.
    """


class Stopped(Exception):  # noqa: N818 (nothing went wrong)
    """Work that was asked to stop before its end, and can go on from where it is."""
