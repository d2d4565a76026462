"""The program ``rnnxai``."""

import argparse
import os
import sys
from collections.abc import Sequence

from rnnxai import __version__
from rnnxai.cli.commands import COMMANDS
from rnnxai.errors import Error


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; by default those of the process.

    Returns
    -------
    int
        The exit code: 0, or 1 if something is wrong with what the command was asked about. Wrong usage ends
        the program with 2.
    """
    # A leading space keeps argparse from taking this number for an option.
    given = [" -inf" if word == "-inf" else word for word in (sys.argv[1:] if argv is None else argv)]
    wanted = _parser(given).parse_args(given)
    try:
        code: int = wanted.run(wanted)
        sys.stdout.flush()
    except Error as error:
        print(f"rnnxai {wanted.command}: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader has seen enough, as in `rnnxai methods | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    """Return a parser that knows all commands by name, and the arguments of the one that is asked for."""
    parser = argparse.ArgumentParser("rnnxai", description="Explain what recurrent networks decide on.")
    parser.add_argument("--version", action="version", version=f"rnnxai {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = next((word for word in given if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == wanted:
            COMMANDS.load(name)(command)
    return parser
