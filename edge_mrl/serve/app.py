"""Which question goes to which answer: the routes, on Starlette."""

from __future__ import annotations

import asyncio

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_mrl.serve.body import ClientGone, read_body
from edge_mrl.serve.gate import HEALTH, Application, Gate
from edge_mrl.serve.http_error import HttpError
from edge_mrl.serve.limits import Access, Limits
from edge_mrl.serve.requests import ServedModel, check_model
from edge_mrl.serve.responses import model_body, models_body
from edge_mrl.serve.workers import Job, Workers


def build_app(
    workers: Workers, model: ServedModel | None, access: Access, limits: Limits
) -> Application:
    """The application: gate, routes, answers.

    Args:
        workers: started; they do the work.
        model: what is served, None for a server without a model.
        access: who may ask.
        limits: how much.
    """
    models = [] if model is None else [model]

    async def answer(request: Request, job: Job) -> Response:
        future = asyncio.wrap_future(workers.submit(job))
        try:
            async with asyncio.timeout(limits.answer_seconds):
                return _json(await future)
        except TimeoutError as error:
            raise HttpError(
                503,
                f"there was no answer within {limits.answer_seconds:g} seconds: send fewer texts "
                "at once, or try again",
            ) from error

    async def body_of(request: Request) -> bytes:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            # A web page can send anything else without asking first.
            raise HttpError(415, "send JSON, with `Content-Type: application/json`")
        return await read_body(request.receive, request.headers, limits)

    async def embeddings(request: Request) -> Response:
        body = await body_of(request)
        return await answer(request, lambda engine: engine.embeddings(body))

    async def search(request: Request) -> Response:
        body = await body_of(request)
        return await answer(request, lambda engine: engine.search(body))

    async def list_models(request: Request) -> Response:
        return _json(models_body(models))

    async def one_model(request: Request) -> Response:
        name = request.path_params["name"]
        for known in models:
            check_model(name, known)
            return _json(model_body(known))
        raise HttpError(404, "this server has no model", code="model_not_found")

    async def health(request: Request) -> Response:
        return _json(b'{"status":"ok"}')

    app = Starlette(
        routes=[
            Route("/v1/embeddings", embeddings, methods=["POST"]),
            Route("/v1/models", list_models),
            Route("/v1/models/{name:path}", one_model),
            Route("/search", search, methods=["POST"]),
            Route(HEALTH, health),
        ],
        exception_handlers={
            HttpError: _on_http_error,
            HTTPException: _on_no_route,
            ClientGone: _on_client_gone,
            Exception: _on_bug,
        },
    )
    gate = Gate(app, access, limits)
    if not access.origins:
        return gate
    # Outside the gate: a browser asks before it sends the token, and must be able to read refusals.
    shared: Application = CORSMiddleware(
        gate,
        allow_origins=access.origins,
        allow_methods=("GET", "POST"),
        allow_headers=("authorization", "content-type"),
        expose_headers=("retry-after",),
    )
    return shared


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _of(error: HttpError) -> Response:
    return Response(error.body(), error.status, dict(error.headers()), "application/json")


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HttpError)
    return _of(error)


async def _on_no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    what = f"{request.method} {request.url.path[:200]}"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        return _of(HttpError(405, f"{what} cannot be asked: use {allowed}"))
    return _of(
        HttpError(
            error.status_code,
            f"there is no {what}: ask /v1/embeddings, /v1/models, /search or {HEALTH}",
        )
    )


async def _on_client_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


async def _on_bug(request: Request, error: Exception) -> Response:
    return _of(HttpError(500, "the server failed on this request; its log says how"))
