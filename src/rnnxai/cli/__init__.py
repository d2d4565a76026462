"""The command line: ``rnnxai COMMAND``.

A new command is one module with a function that adds its arguments to a parser, as
:mod:`rnnxai.cli.methods`, and one line in :mod:`rnnxai.cli.commands`.
"""

from rnnxai._lazy import exports

__getattr__, __dir__ = exports(__name__, {"main": "rnnxai.cli.main:main"})
