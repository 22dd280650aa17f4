"""`edge-mrl serve` as it starts, and what it refuses to start with."""

import json
import socket
import subprocess
import sys

from edge_mrl import Index
from edge_mrl.cli.main import main
from edge_mrl.serve.sockets import listen_tcp


def refused(capsys, *arguments):
    capsys.readouterr()
    assert main(["serve", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_starts_that_are_refused(capsys, static_bundle, documents, tmp_path, monkeypatch):
    bundle = static_bundle
    monkeypatch.delenv("EDGE_MRL_TOKEN", raising=False)
    (tmp_path / "short").write_text("secret")
    for host in ("0.0.0.0", "::", "192.168.1.5", "board.example"):
        assert "--token-file" in refused(capsys, bundle, "--host", host)
    assert "at least 16" in refused(capsys, bundle, "--token-file", tmp_path / "short")
    assert "cannot be read" in refused(capsys, bundle, "--token-file", tmp_path / "none")
    assert "nothing to serve" in refused(capsys)
    assert "no bundle" in refused(capsys, tmp_path / "none", "--port", 0)
    assert "no index" in refused(capsys, bundle, "--index", tmp_path / "n.db", "--port", 0)
    assert not (tmp_path / "n.db").exists()
    assert "64, 128, 256" in refused(capsys, bundle, "--dim", 100, "--port", 0)
    assert "--workers" in refused(capsys, bundle, "--workers", 0)
    assert "concurrent" in refused(capsys, bundle, "--max-concurrent", 0)
    assert "port 99999" in refused(capsys, bundle, "--port", 99999)
    assert "is no socket" in refused(capsys, bundle, "--socket", documents)
    assert documents.exists()
    assert "cannot listen" in refused(capsys, bundle, "--socket", tmp_path / "no" / "s")
    assert "AF_UNIX" in refused(capsys, bundle, "--socket", tmp_path / ("x" * 200))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "--port" in refused(capsys, bundle, "--port", taken.getsockname()[1])


def test_answers_do_not_wait_for_an_acknowledgement():
    """Asyncio sets TCP_NODELAY only where the socket names its protocol."""
    for host in ("127.0.0.1", "localhost"):
        with listen_tcp(host, 0) as listener:
            assert listener.proto == socket.IPPROTO_TCP


def test_an_index_of_another_model(capsys, static_bundle, tmp_path):
    with Index.create(tmp_path / "i.db", dim=64, matryoshka_dims=[64], identity="other"):
        pass
    line = refused(capsys, static_bundle, "--index", tmp_path / "i.db", "--port", 0)
    assert "belongs to the model other" in line


def test_without_the_extra_the_pip_command_is_named(static_bundle):
    code = (
        "import sys; sys.modules['uvicorn'] = None;"
        "from edge_mrl.cli.main import main; sys.exit(main(['serve', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, static_bundle], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'edge-mrl[serve]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_ready_line_for_people(static_bundle, documents):
    code = "import sys; from edge_mrl.cli.main import main; sys.exit(main(sys.argv[1:]))"
    arguments = ["serve", static_bundle, "--index", documents, "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    ) as process:
        line = process.stdout.readline()
        process.terminate()
        assert process.wait(20) == 0
    assert line.startswith("listening on http://127.0.0.1:")
    assert "(64, 128, 256)" in line
    assert json.dumps(str(documents))[1:-1] in line
