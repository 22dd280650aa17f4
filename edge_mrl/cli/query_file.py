"""Many queries from a file: a text a line, or a whole query as JSON a line.

The file is checked from end to end before the first query is asked, so that a bad line never leaves
half of the answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.errors import EdgeMrlError, InputError
from edge_mrl.json_lines import MAX_LINE_BYTES, read_objects
from edge_mrl.retrieval import Question, parse_question

_MARK = b"\xef\xbb\xbf"
"""What some editors write before UTF-8."""


def holds_objects(path: Path) -> bool:
    """Whether a file's first line that is not empty starts with a brace.

    Raises:
        InputError: the file cannot be read.
    """
    for _, line in _lines(path):
        return line.lstrip().startswith(b"{")
    return False


@dataclass(frozen=True, slots=True)
class QueryFile:
    """A file of queries that was checked.

    Attributes:
        path: the file.
        of_text: makes a query of a text line; None where each line is a whole query.
        count: queries in it, 1 or more.
        embeds: whether one of them needs a model.
    """

    path: Path
    of_text: Callable[[str], Question] | None
    count: int
    embeds: bool

    @classmethod
    def check(cls, path: Path, of_text: Callable[[str], Question] | None) -> QueryFile:
        """Read the whole file once.

        Raises:
            InputError: it cannot be read, it is empty, or a line is no query; gives its number.
        """
        count, embeds = 0, False
        for _, question in _read(path, of_text):
            count += 1
            embeds = embeds or question.embeds
        if not count:
            raise InputError(f"{path} is empty: write a text, or a query as JSON, on each line")
        return cls(path, of_text, count, embeds)

    def questions(self) -> Iterator[tuple[int, Question]]:
        """The number of each line, from 1, and its query."""
        return _read(self.path, self.of_text)


def _read(path: Path, of_text: Callable[[str], Question] | None) -> Iterator[tuple[int, Question]]:
    if of_text is None:
        for number, value in read_objects(path, InputError, fields="of a query"):
            yield number, parse_question(value, f"{path}, line {number}")
        return
    for number, line in _lines(path):
        try:
            question = of_text(line.decode("utf-8").strip())
        except UnicodeDecodeError as error:
            raise InputError(f"{path}, line {number}: not UTF-8 ({error.reason})") from error
        except EdgeMrlError as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        yield number, question


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers."""
    try:
        with path.open("rb") as stream:
            number = 0
            while line := stream.readline(MAX_LINE_BYTES + 1):
                number += 1
                if len(line) > MAX_LINE_BYTES:
                    raise InputError(
                        f"{path}, line {number}: longer than {MAX_LINE_BYTES >> 20} MiB"
                    )
                if line.removeprefix(_MARK).strip():
                    yield number, line.removeprefix(_MARK)
    except OSError as error:
        raise InputError(f"--queries: cannot read {path} ({error.strerror})") from error
