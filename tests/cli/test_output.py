"""Progress as a terminal and as a log see it, and tables."""

import io

import pytest

from edge_mrl.cli import output
from edge_mrl.cli.output import Progress, documents, format_table


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(output.time, "monotonic", lambda: now[0])
    return now


def test_a_shorter_line_leaves_nothing_of_a_longer_one(clock, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    progress = Progress("indexing", 2000, "documents")
    for seconds, done in ((0.2, 1500), (40.0, 1501), (41.0, 2000)):
        clock[0] = seconds
        progress.update(done)
    progress.finish()
    lines = [line.rstrip("\n") for line in terminal.getvalue().split("\r")[1:]]
    assert "7,500/s" in lines[0] and "38/s" in lines[1]
    assert all(len(line) >= len(lines[0]) for line in lines)
    assert lines[0].startswith("indexing [##################......] 1500/2000 documents, ")


def test_a_log_gets_a_line_now_and_then(clock, monkeypatch):
    log = io.StringIO()
    monkeypatch.setattr("sys.stderr", log)
    progress = Progress("adding", None, "vectors")
    for seconds in (1.0, 9.0, 11.0, 12.0):
        clock[0] = seconds
        progress.update(int(seconds))
    progress.finish()
    assert log.getvalue() == "adding 11 vectors, 1/s, 11.0 s\nadding 12 vectors, 1/s, 12.0 s\n"


def test_no_line_of_a_table_ends_in_blanks():
    table = format_table(["name", "n", ""], [["a", "1", ""], ["long", "22", "note"]], left=(0, 2))
    assert table == "name   n\n----  --\na      1\nlong  22  note"


def test_one_document_is_one_document():
    assert [documents(n) for n in (0, 1, 2)] == ["0 documents", "1 document", "2 documents"]
