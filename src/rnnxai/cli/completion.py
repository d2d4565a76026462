"""``rnnxai completion``."""

from argparse import ArgumentParser, Namespace

from rnnxai.cli import codes

_SHELLS = ("bash", "zsh", "fish")


def arguments(parser: ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=_SHELLS, help="the shell that is to complete commands and options")
    parser.set_defaults(run=run)


def run(wanted: Namespace) -> int:
    """Print a script that makes a shell complete what is typed."""
    import shtab

    from rnnxai.cli.main import whole_parser

    print(shtab.complete(whole_parser(), wanted.shell))
    return codes.OK
