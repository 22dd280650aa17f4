"""The command line itself: help, wrong arguments, how it ends."""

import subprocess
import sys
from pathlib import Path

import pytest

import edge_mrl
from edge_mrl.cli.main import main
from edge_mrl.cli.registry import COMMANDS


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f"  {command.name}" in shown


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serch", "x.db"], "there is no command 'serch' (did you mean search?)"),
        (["frobnicate"], "there is no command 'frobnicate'; `edge-mrl --help`"),
        (["--nothing"], "unrecognized arguments: --nothing"),
        (["build", "x.db"], "edge-mrl build: one of the arguments --input --vectors is required"),
        (["search", "x.db", "x", "--threads", "0"], "'0' is not a whole number from 1 on"),
        (["plan", "b", "--docs", "many"], "'many' is not a whole number from 0 on"),
    ],
)
def test_wrong_arguments_get_one_line(capsys, arguments, said):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert said in captured.err and "--help` says what it takes" in captured.err


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["i.db", "-k", "3", "gzip"], "gzip"),
        (["-k", "3", "i.db", "gzip"], "gzip"),
        (["i.db", "gzip", "-k", "3"], "gzip"),
        (["i.db", "-k", "3", "-5 degrees"], "-5 degrees"),
        (["-k", "3", "--", "i.db", "-x"], "-x"),
    ],
)
def test_options_may_stand_anywhere(monkeypatch, words, found):
    asked = []
    monkeypatch.setattr("edge_mrl.cli.search.run", lambda arguments: asked.append(arguments) or 0)
    assert main(["search", *words]) == 0
    (arguments,) = asked
    assert (arguments.index.name, arguments.query, arguments.k) == ("i.db", found, 3)


def test_a_closed_output_is_no_error():
    command = f"{sys.executable} -m edge_mrl profiles >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_an_output_that_takes_nothing_gets_one_line():
    command = f"{sys.executable} -m edge_mrl profiles >/dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "edge-mrl: No space left on device\n")


@pytest.mark.parametrize("shown", ["profiles", "--help", "search --help", ""])
def test_a_reader_that_has_gone_is_no_error(shown):
    command = f"{sys.executable} -m edge_mrl {shown} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_a_forgotten_requirement_is_named():
    without = (
        "import sys; sys.modules['numpy'] = None; "
        "from edge_mrl.cli.main import main; sys.exit(main(['build', 'x.db']))"
    )
    done = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert done.returncode == 2 and "`pip install numpy`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_has_help(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"edge-mrl {command}" in capsys.readouterr().out


def test_the_package_runs_as_a_module():
    command = [sys.executable, "-m", "edge_mrl", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"edge-mrl {edge_mrl.__version__}\n"


def test_no_command_prints_the_help(capsys):
    assert main([]) == 0
    assert "COMMAND" in capsys.readouterr().out


def test_an_unknown_command_is_refused():
    with pytest.raises(SystemExit) as ended:
        main(["serach"])
    assert ended.value.code == 2
