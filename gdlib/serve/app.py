"""The translator behind HTTP: what comes is checked, waits its turn, and is answered, or refused in a sentence.

    POST /translate   {"text": "3. Mai 2019"} → {"date": "2019-05-03", "valid": true}
    POST /stream      the same, as server-sent events, a character each
    GET  /health      that it answers            GET /metrics       counts and times, for Prometheus
    GET  /            a page to try it           GET /openapi.json  this, for machines

Needs the packages of `pip install "gdlib[service]"`.
"""

import asyncio
import contextlib
import datetime
import gc
import json
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gdlib import expect
from gdlib.serve.batching import Batcher, Closed, Full, Late
from gdlib.serve.dates import DateTranslator, DateWriter
from gdlib.serve.metrics import Metrics
from gdlib.serve.openapi import description
from gdlib.serve.slots import Slots

PAGE = Path(__file__).parent / "page"
BODY = 4096  # bytes of a request's body, at most
BODY_SECONDS = 5.0  # in which it has to be there
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Reply = TypeVar("Reply")


def create(
    translator: DateTranslator,
    *,
    limit: int = 64,
    wait: float | int = 0.0,
    room: int = 256,
    patience: float | int = 10.0,
    slots: int = 16,
) -> Callable:
    """The service of one process, an ASGI application.

    Args:
      translator: what answers. It is compiled before the first request is taken.
      limit, wait, room, patience: of `Batcher`, which answers /translate.
      slots: of `Slots`, which answers /stream, with the same room and patience.

    Raises ValueError for a limit above the translator's largest batch.
    """
    if limit > translator.limit:
        raise ValueError(f"limit: expected at most the translator's {translator.limit}, got {limit}")
    expect.positive_int("slots", slots)
    metrics = Metrics()
    batcher = Batcher(metrics.watched(translator), limit=limit, wait=wait, room=room, patience=patience)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        translator.compile()
        writer = DateWriter(translator, slots)
        lanes = Slots(writer.begin, writer.advance, slots=slots, room=room, patience=patience)
        app.state.translator, app.state.batcher, app.state.slots = translator, batcher, lanes
        app.state.metrics = metrics
        async with batcher, lanes:
            metrics.watch_queues(batcher, lanes)
            gc.collect()
            gc.freeze()  # what is there stays: to look through it again would hold up requests by tenths of a second
            yield

    app = Starlette(
        routes=[
            Route("/translate", translate, methods=["POST"]),
            Route("/stream", stream, methods=["POST"]),
            Route("/health", health),
            Route("/metrics", show_metrics),
            Route("/openapi.json", openapi),
            Route("/", page),
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        exception_handlers={
            HTTPException: _refused,
            Full: _full,
            Closed: _closed,
            Late: _late,
            Exception: _failed,
        },
        lifespan=lifespan,
    )
    return metrics.middleware(app, headers=HEADERS)


async def translate(request: Request) -> Response:
    """One text → its date."""
    row = await _row_of(request)
    date = await _while_connected(request, request.app.state.batcher.ask(row))
    return JSONResponse({"date": date, "valid": is_date(date)})


async def stream(request: Request) -> Response:
    """One text → its date, an event for each character and one for the whole."""
    pieces = request.app.state.slots.stream(await _row_of(request))
    first = await _while_connected(request, anext(pieces))  # whoever is refused gets a status

    async def events() -> AsyncIterator[str]:
        date = ""
        async with contextlib.aclosing(pieces):
            date += first
            yield _event("piece", {"piece": first})
            async for piece in pieces:  # the end of a date is an empty one
                date += piece
                yield _event("piece", {"piece": piece})
        yield _event("date", {"date": date, "valid": is_date(date)})

    return StreamingResponse(events(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def health(request: Request) -> Response:
    """Whether requests are taken: before it is, and once it is to stop, nobody listens."""
    return JSONResponse({"status": "ready"})


async def show_metrics(request: Request) -> Response:
    """Counts and times, of all workers."""
    text, media_type = request.app.state.metrics.exposition()
    return Response(text, media_type=media_type)


async def page(request: Request) -> Response:
    """A page to try it."""
    return FileResponse(PAGE / "index.html")


async def openapi(request: Request) -> Response:
    """What this service understands."""
    translator = request.app.state.translator
    return JSONResponse(description(translator.sources.characters, translator.longest, BODY))


def is_date(text: str) -> bool:
    """Whether a text is a date as ISO 8601 writes it, YYYY-MM-DD, and one that the calendar has."""
    try:
        return len(text) == 10 and datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


async def _row_of(request: Request) -> Any:
    """The text that a request asks about, as tokens. Raises HTTPException with what is wrong in a sentence."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(415, f"expected the content type application/json, got {kind[:80]!r}")
    try:
        given = json.loads(await _body_of(request))
    except (ValueError, RecursionError):  # of which a text that is no UTF-8 is one
        raise HTTPException(
            400, 'expected JSON, such as {"text": "May 3, 2019"}, got something else'
        ) from None
    if not isinstance(given, dict) or set(given) != {"text"}:
        got = f"the names {sorted(given)}" if isinstance(given, dict) else f"a {type(given).__name__}"
        raise HTTPException(422, f'expected an object with one name, "text", got {got[:200]}')
    try:
        return request.app.state.translator.row(given["text"])
    except (TypeError, ValueError) as error:
        raise HTTPException(422, f"text: {error}") from None


async def _body_of(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > BODY:
                    raise HTTPException(413, f"expected at most {BODY} bytes, got more")
    except TimeoutError:
        raise HTTPException(408, f"expected the whole request within {BODY_SECONDS:g} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "expected the whole request, got a part of it") from None
    return body


async def _while_connected(request: Request, reply: Awaitable[Reply]) -> Reply:
    """The reply; or, if the client goes away first, its request is taken back, and nothing is computed for it."""
    leaving = asyncio.create_task(_gone(request))
    handling = cast(asyncio.Task, asyncio.current_task())
    leaving.add_done_callback(lambda _: leaving.cancelled() or handling.cancel())
    try:
        return await reply
    except asyncio.CancelledError:
        if leaving.done() and not leaving.cancelled():
            raise HTTPException(499, "the client went away") from None
        raise
    finally:
        leaving.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _event(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


def _sentence(status: int, sentence: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": sentence}, status, headers)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = {
        404: f"there is nothing at {request.url.path[:200]}",
        405: f"{request.method} is not understood here",
    }
    return _sentence(error.status_code, sentence.get(error.status_code, error.detail), error.headers)


async def _full(_: Request, error: Exception) -> Response:
    assert isinstance(error, Full)
    return _sentence(503, str(error), {"Retry-After": str(math.ceil(error.retry_after))})


async def _closed(_: Request, error: Exception) -> Response:
    return _sentence(503, str(error), {"Retry-After": "5", "Connection": "close"})


async def _late(_: Request, error: Exception) -> Response:
    return _sentence(504, str(error))


async def _failed(*_) -> Response:
    return _sentence(500, "the service failed, and its log says why")
