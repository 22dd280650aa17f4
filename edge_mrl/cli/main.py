"""`edge-mrl`: parse, dispatch, and the one place where errors become a sentence and an exit
code."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn

from edge_mrl.cli.registry import COMMANDS, GROUPS
from edge_mrl.errors import EdgeMrlError
from edge_mrl.version import __version__

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
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        # What is still in the buffer may find its reader gone, too.
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except EdgeMrlError as error:
        _complain(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        if argv is None:
            # The process ends. A second Ctrl-C would cut off threads that are about to, and abort.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (head, less) has gone; what is left unflushed has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = "" if error.filename is None else f": {error.filename}"
        _complain(f"{error.strerror or error}{place}")
        return 1
    except ModuleNotFoundError as error:
        if error.name not in _REQUIRED:
            raise
        _complain(
            f"the package {error.name} is not installed beside edge-mrl: run "
            f"`pip install {error.name}`"
        )
        return BAD_INPUT


def _complain(sentence: str) -> None:
    from edge_mrl.cli.output import print_text

    print_text(f"edge-mrl: {sentence}", file=sys.stderr)


def _never_fail_to_print() -> None:
    """A letter that the terminal's encoding lacks is printed as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run(words: Sequence[str]) -> int:
    place = next((n for n, word in enumerate(words) if not word.startswith("-")), len(words))
    overview = _overview_parser()
    # Before the command: --help and --version, which end the program, or what is refused.
    overview.parse_args(words[:place])
    if place == len(words):
        overview.print_help()
        return 0
    command = next((each for each in COMMANDS if each.name == words[place]), None)
    if command is None:
        overview.error(f"there is no command {words[place]!r}{_suggestion(words[place])}")
    # Only the chosen command's module is imported, so that help answers at once.
    parser = _Parser(prog=f"edge-mrl {command.name}", description=command.summary)
    command.add_arguments(parser)
    words = words[place + 1 :]
    # Options may stand anywhere, as in `search INDEX -k 3 QUERY`. That way of parsing loses sight
    # of `--` in some versions of Python.
    parse = parser.parse_args if "--" in words else parser.parse_intermixed_args
    return command.run(parse(words))


def _overview_parser() -> _Parser:
    parser = _Parser(
        prog="edge-mrl",
        usage="edge-mrl [-h] [--version] COMMAND ...",
        description="On-device embedding search for Matryoshka models.",
        epilog=_overview() + _START,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-mrl {__version__}")
    return parser


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
