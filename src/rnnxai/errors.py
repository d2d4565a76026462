"""The one exception class of the public boundary."""


class Error(ValueError):
    """A request that cannot be met as it stands.

    The message names the thing (file, key, layer, step or shape), the value that was found and what
    would be right. Everything the package raises on bad input is of this class; any other exception
    that reaches a user is a bug.
    """
