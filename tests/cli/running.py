"""Commands as a user runs them, in this process."""

import json

from edge_mrl.cli.main import main


def run_json(capsys, *arguments):
    """What a command prints with --json."""
    capsys.readouterr()
    assert main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def fails(capsys, *arguments):
    """The one sentence of a refused command."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    # An export names its steps before.
    *steps, line = captured.err.splitlines()
    assert all(step.startswith("[") for step in steps)
    assert line.startswith("edge-mrl: ")
    return line
