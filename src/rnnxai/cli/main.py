"""The program ``rnnxai``."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence

from rnnxai import __version__
from rnnxai.cli import codes
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
        The exit code (:mod:`rnnxai.cli.codes`). Wrong usage ends the program with 2.
    """
    # A leading space keeps argparse from taking this number for an option.
    given = [" -inf" if word == "-inf" else word for word in (sys.argv[1:] if argv is None else argv)]
    wanted = _parser(given).parse_args(given)
    try:
        code: int = wanted.run(wanted)
        sys.stdout.flush()
    except Error as error:
        print(f"rnnxai {wanted.command}: {error}", file=sys.stderr)
        return codes.BAD_INPUT
    except KeyboardInterrupt:
        return codes.INTERRUPTED
    except BrokenPipeError:  # the reader has seen enough, as in `rnnxai methods | head -3`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return codes.NO_READER
    return code


def whole_parser() -> argparse.ArgumentParser:
    """Return a parser that knows the arguments of all commands."""
    return _parser(COMMANDS)


def _parser(given: Iterable[str]) -> argparse.ArgumentParser:
    """Return a parser that knows all commands by name, and the arguments of those that are given."""
    parser = argparse.ArgumentParser("rnnxai", description="Explain what recurrent networks decide on.")
    parser.add_argument("--version", action="version", version=f"rnnxai {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    wanted = set(given)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name in wanted:
            COMMANDS.load(name)(command)
    return parser
