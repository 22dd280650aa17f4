"""`edge-mrl`: parse, dispatch, and the one place where errors become a sentence and an exit
code."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from edge_mrl.cli.registry import COMMANDS, GROUPS
from edge_mrl.errors import EdgeMrlError
from edge_mrl.version import __version__

if TYPE_CHECKING:
    _Subparsers = argparse._SubParsersAction["_Parser"]

BAD_INPUT = 2
INTERRUPTED = 130

_REQUIRED = ("numpy", "tokenizers")
"""What an installation with `--no-deps` may have forgotten."""

_START = """
a first index:
  edge-mrl export wordllama -o bundle
  edge-mrl build notes.db --bundle bundle --input corpus.jsonl
  edge-mrl search notes.db "zip an archive"

`edge-mrl COMMAND --help` says what a command takes."""


class _Parser(argparse.ArgumentParser):
    """Answers wrong arguments as every other bad input is answered: with one sentence."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message}; `{self.prog} --help` says what it takes\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 2 bad input, 1 failure on good input."""
    _never_fail_to_print()
    arguments_in = list(sys.argv[1:] if argv is None else argv)
    parser, subparsers = _parser()
    chosen = next((word for word in arguments_in if not word.startswith("-")), None)
    if chosen is not None and chosen not in {command.name for command in COMMANDS}:
        parser.error(f"there is no command {chosen!r}{_suggestion(chosen)}")
    try:
        return _run(parser, subparsers, arguments_in, chosen)
    except EdgeMrlError as error:
        print(f"edge-mrl: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        if argv is None:
            # The process ends. A second Ctrl-C would cut off threads that are about to, and abort.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
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
    except ModuleNotFoundError as error:
        if error.name not in _REQUIRED:
            raise
        print(
            f"edge-mrl: the package {error.name} is not installed beside edge-mrl: run "
            f"`pip install {error.name}`",
            file=sys.stderr,
        )
        return BAD_INPUT


def _never_fail_to_print() -> None:
    """A letter that the terminal's encoding lacks is printed as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run(
    parser: _Parser,
    subparsers: _Subparsers,
    arguments_in: Sequence[str],
    chosen: str | None,
) -> int:
    for command in COMMANDS:
        subparser = subparsers.add_parser(command.name, description=command.summary)
        # Only the chosen command's module is imported, so that help answers at once.
        if command.name == chosen:
            command.add_arguments(subparser)
            subparser.set_defaults(command=command)
    arguments = parser.parse_args(arguments_in)
    if chosen is None:
        parser.print_help()
        return 0
    code = int(arguments.command.run(arguments))
    # What is still in the buffer may find its reader gone, too.
    sys.stdout.flush()
    return code


def _parser() -> tuple[_Parser, _Subparsers]:
    parser = _Parser(
        prog="edge-mrl",
        usage="edge-mrl [-h] [--version] COMMAND ...",
        description="On-device embedding search for Matryoshka models.",
        epilog=_overview() + _START,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-mrl {__version__}")
    subparsers = parser.add_subparsers(prog="edge-mrl", metavar="COMMAND", help=argparse.SUPPRESS)
    return parser, subparsers


def _suggestion(word: str) -> str:
    import difflib

    close = difflib.get_close_matches(word, [command.name for command in COMMANDS], n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def _overview() -> str:
    """Every command under its heading."""
    width = max(len(command.name) for command in COMMANDS)
    lines = []
    for heading, commands in GROUPS:
        lines.append(f"{heading}:")
        lines += [f"  {command.name.ljust(width)}  {command.summary}" for command in commands]
        lines.append("")
    return "\n".join(lines)
