"""`edge-mrl`: parse, dispatch, and the one place where errors become a sentence and an exit
code."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence

from edge_mrl.cli.registry import COMMANDS
from edge_mrl.errors import EdgeMrlError
from edge_mrl.version import __version__

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad input, 1 failure on good input."""
    _never_fail_to_print()
    arguments_in = list(sys.argv[1:] if argv is None else argv)
    parser, subparsers = _parser()
    chosen = next((word for word in arguments_in if not word.startswith("-")), None)
    for command in COMMANDS:
        subparser = subparsers.add_parser(
            command.name, help=command.summary, description=command.summary
        )
        # Only the chosen command's module is imported, so that help answers at once.
        if command.name == chosen:
            command.add_arguments(subparser)
            subparser.set_defaults(command=command)
    arguments = parser.parse_args(arguments_in)
    if chosen is None:
        parser.print_help()
        return 0
    try:
        return int(arguments.command.run(arguments))
    except EdgeMrlError as error:
        print(f"edge-mrl: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("edge-mrl: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; what is left unflushed has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(
            f"edge-mrl: {error.strerror or error}: {error.filename or 'no file named'}",
            file=sys.stderr,
        )
        return 1


def _never_fail_to_print() -> None:
    """A letter that the terminal's encoding lacks is printed as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _parser() -> tuple[
    argparse.ArgumentParser, argparse._SubParsersAction[argparse.ArgumentParser]
]:
    parser = argparse.ArgumentParser(
        prog="edge-mrl",
        description="On-device embedding search for Matryoshka models.",
        epilog="`edge-mrl COMMAND --help` says what a command takes.",
    )
    parser.add_argument("--version", action="version", version=f"edge-mrl {__version__}")
    return parser, parser.add_subparsers(metavar="COMMAND")
