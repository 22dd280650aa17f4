"""`edge-mrl serve`: embeddings and search over HTTP, for apps in other languages."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing
from pathlib import Path

from edge_mrl.cli.output import print_json_line, print_text
from edge_mrl.errors import ExtraMissingError, InputError
from edge_mrl.serve.engine import EngineSettings
from edge_mrl.serve.limits import Access, Limits, check_token, is_loopback
from edge_mrl.serve.requests import ServedModel
from edge_mrl.serve.sockets import address_of, listen_tcp, listen_unix

TOKEN_VARIABLE = "EDGE_MRL_TOKEN"

_DEFAULTS = Limits()

_WEB_PACKAGES = ("h11", "starlette", "uvicorn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """See `edge_mrl.cli.registry`."""
    parser.add_argument(
        "bundle", nargs="?", type=Path, help="the model's folder; without it, search by vector only"
    )
    parser.add_argument("--index", type=Path, metavar="FILE", help="an index, for /search")
    parser.add_argument("--model-name", help="what requests call the model (default: its own name)")
    parser.add_argument("--variant", help="a variant of the bundle (default: the first that runs)")
    parser.add_argument(
        "--dim", type=int, metavar="D", help="the largest size to give (default: all of it)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address (default 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, default=8756, help="port, 0 for a free one (default 8756)"
    )
    parser.add_argument(
        "--socket", type=Path, metavar="PATH", help="a Unix socket, instead of host and port"
    )
    parser.add_argument(
        "--token-file",
        type=Path,
        metavar="FILE",
        help=f"the token that requests must carry; or in ${TOKEN_VARIABLE}",
    )
    parser.add_argument(
        "--allow-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="a web page that may ask, such as https://app.example; can be repeated",
    )
    parser.add_argument(
        "--workers", type=int, default=1, metavar="N", help="threads that answer (default 1)"
    )
    parser.add_argument(
        "--threads", type=int, default=1, metavar="N", help="engine threads each (default 1)"
    )
    parser.add_argument(
        "--max-concurrent",
        type=int,
        default=_DEFAULTS.concurrent,
        metavar="N",
        help=f"requests at once; 429 beyond (default {_DEFAULTS.concurrent})",
    )
    parser.add_argument(
        "--max-body",
        type=int,
        default=_DEFAULTS.body_bytes,
        metavar="BYTES",
        help=f"size of a request; 413 beyond (default {_DEFAULTS.body_bytes})",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON when ready")


def run(arguments: argparse.Namespace) -> int:
    """See `edge_mrl.cli.registry`."""
    try:
        from edge_mrl.serve.running import run_server
    except ModuleNotFoundError as error:
        if error.name not in _WEB_PACKAGES:
            raise
        raise ExtraMissingError(
            f"a server needs {error.name}, which is not installed: run "
            "`pip install 'edge-mrl[serve]'`"
        ) from error
    if arguments.bundle is None and arguments.index is None:
        raise InputError("nothing to serve: give a bundle folder, --index, or both")
    for name in ("workers", "threads"):
        if getattr(arguments, name) < 1:
            raise InputError(f"--{name} must be 1 or more")
    limits = Limits(body_bytes=arguments.max_body, concurrent=arguments.max_concurrent)
    access = _access(arguments)
    settings = EngineSettings(
        arguments.bundle,
        arguments.index,
        arguments.model_name,
        arguments.variant,
        arguments.dim,
        arguments.threads,
    )
    place: Path | None = arguments.socket
    with closing(
        listen_unix(place) if place else listen_tcp(arguments.host, arguments.port)
    ) as listener:
        try:
            address = address_of(listener)
            run_server(
                listener,
                settings,
                access,
                limits,
                workers=arguments.workers,
                on_ready=lambda model: _announce(address, model, arguments),
            )
        finally:
            if place is not None:
                place.unlink(missing_ok=True)
    return 0


def _access(arguments: argparse.Namespace) -> Access:
    token = _token(arguments.token_file)
    local = arguments.socket is not None or is_loopback(arguments.host)
    if token is None and not local:
        raise InputError(
            f"{arguments.host} can be reached from other machines: give a token with --token-file "
            f"or ${TOKEN_VARIABLE}, or listen on 127.0.0.1"
        )
    # Over a Unix socket nothing is rebound; with a token a foreign page cannot ask.
    local_only = token is None and arguments.socket is None
    return Access(token, local_only, tuple(arguments.allow_origin))


def _token(file: Path | None) -> str | None:
    if file is None:
        token = os.environ.get(TOKEN_VARIABLE)
        return None if token is None else check_token(token)
    try:
        with file.open("rb") as stream:
            text = stream.read(10_000)
    except OSError as error:
        raise InputError(f"the token file {file} cannot be read: {error.strerror}") from error
    return check_token(text.decode("utf-8", errors="replace").strip())


def _announce(address: str, model: ServedModel | None, arguments: argparse.Namespace) -> None:
    if arguments.json:
        print_json_line(
            {
                "address": address,
                "model": None if model is None else model.name,
                "matryoshka_dims": None if model is None else list(model.dims),
                "index": None if arguments.index is None else str(arguments.index),
            }
        )
    else:
        what = "no model" if model is None else f"{model.name} ({', '.join(map(str, model.dims))})"
        where = "no index" if arguments.index is None else str(arguments.index)
        print_text(f"listening on {address}: {what}, {where}")
    # Whoever started the server reads this through a pipe, and waits for it.
    sys.stdout.flush()
