"""The server's answers: the page, searches, and items' files; bounded and guarded.

Nothing here writes. A question is a GET, or a POST whose body is a picture or a clip; every error
is one line of JSON, ``{"error": ...}``, with the words of the command line.

Annotations are values in this module, not text as elsewhere: FastAPI reads bounds from them that
are known only once there is a server.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.types import ASGIApp

from polymatch.errors import PolymatchError
from polymatch.search.engine import SearchEngine
from polymatch.serving.answering import By, Known, Served
from polymatch.serving.guard import FILE_POLICY, Guard
from polymatch.serving.limits import Limits, Refusal
from polymatch.serving.media import Media
from polymatch.serving.turns import Turns
from polymatch.serving.uploads import received, tried
from polymatch.settings.explain import suggest
from polymatch.sources import protocol_of

PAGE = Path(__file__).with_name("page")
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_KEPT = {"Cache-Control": "private, max-age=300", "Content-Security-Policy": FILE_POLICY}


def create_app(
    engines: Sequence[SearchEngine],
    media: Media,
    limits: Limits | None = None,
    *,
    names: Iterable[str] = (),
    network: bool = False,
) -> ASGIApp:
    """An ASGI application over some runs of one data set.

    Args:
        engines: the runs, the one that is shown first in front.
        media: the items' files.
        limits: bounds of what is asked.
        names, network: see :class:`polymatch.serving.guard.Guard`.
    """
    limits = limits or Limits()
    app = FastAPI(
        title="Polymatch", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    _add_errors(app)
    _add_page(app)
    _add_files(app, media, limits)
    _add_searches(app, [Served(engine, media) for engine in engines], limits)
    return Guard(app, names, network)


def _add_searches(app: FastAPI, served: list[Served], limits: Limits) -> None:
    of_name = {one.name: one for one in served}
    searches = Turns("search", limits.searches, limits.waiting, limits.search_seconds)
    # One is read at a time: two clips side by side would need twice the memory.
    longest = limits.decode_seconds + limits.search_seconds
    readings = Turns("upload", 1, limits.uploads, longest)
    receiving = 0
    Number = Annotated[int, Query(ge=1, le=limits.k)]
    Said = Annotated[str | None, Query(max_length=limits.text)]

    def chosen(run: str | None) -> Served:
        if run is None:
            return served[0]
        if run not in of_name:
            raise Refusal(404, f"no run {run[:80]!r} is served here; {suggest(run, of_name)}")
        return of_name[run]

    @app.get("/api/about")
    async def about() -> dict[str, Any]:
        engine = served[0].engine
        queries = engine.gallery.queries
        return {
            "runs": [one.about() for one in served],
            "data": engine.run.config.data.name,
            "protocol": protocol_of(engine.run.config.data),
            "gallery": engine.gallery.name,
            "items": len(engine.gallery),
            "texts": None if queries is None else len(queries.texts),
            "limits": {"text": limits.text, "k": limits.k, "upload": limits.upload},
        }

    @app.get("/api/known")
    async def known(
        of: Known,
        run: Said = None,
        like: Said = None,
        number: Number = 10,
        draw: bool = False,
    ) -> dict[str, Any]:
        return chosen(run).known(of, like or "", number, draw)

    @app.get("/api/search")
    async def search(
        run: Said = None,
        text: Said = None,
        caption: Said = None,
        item: Said = None,
        similar: Said = None,
        k: Number = 10,
    ) -> dict[str, Any]:
        given: dict[By, str | None] = {"text": text, "caption": caption}
        given |= {"item": item, "similar": similar}
        asked = [(by, what) for by, what in given.items() if what is not None]
        if len(asked) != 1:
            raise Refusal(
                400, f"{len(asked)} queries given; give one of: text, caption, item, similar"
            )
        (by, what), begun = asked[0], time.perf_counter()
        found = await searches.run(partial(chosen(run).answers, by, what, k))
        return {**found, "seconds": time.perf_counter() - begun}

    @app.post("/api/file")
    async def search_by_file(
        request: Request, run: Said = None, name: Said = None, k: Number = 10
    ) -> dict[str, Any]:
        nonlocal receiving
        one = chosen(run)
        if receiving >= limits.uploads:
            raise Refusal(503, "too many uploads at once; try again in a moment")
        receiving += 1
        try:
            async with received(request, name or "", limits) as path:
                begun = time.perf_counter()
                found = await _found_by(one, path, k, readings, limits)
        finally:
            receiving -= 1
        return {**found, "seconds": time.perf_counter() - begun}


async def _found_by(
    one: Served, path: Path, k: int, readings: Turns, limits: Limits
) -> dict[str, Any]:
    """What an upload finds; what is said of its file does not say where that lies."""

    def read() -> dict[str, Any]:
        tried(path, one.engine.run.config.data.frames, limits)
        return one.answers("file", path, k)

    try:
        return await readings.run(read)
    except PolymatchError as error:
        status = error.status if isinstance(error, Refusal) else 422
        raise Refusal(status, str(error).replace(str(path), "the file")) from error


def _add_files(app: FastAPI, media: Media, limits: Limits) -> None:
    stills = Turns("still", 1, 200, limits.decode_seconds)
    Id = Annotated[str, Query(min_length=1, max_length=limits.text)]

    @app.api_route("/file", methods=["GET", "HEAD"])
    async def file(id: Id) -> Response:
        path = media.file(id)
        return FileResponse(path, media_type=media.type(path), headers=_KEPT)

    @app.api_route("/still", methods=["GET", "HEAD"])
    async def still(id: Id) -> Response:
        picture = await stills.run(partial(media.still, id))
        return Response(picture, media_type="image/webp", headers=_KEPT)


def _add_page(app: FastAPI) -> None:
    """The page's own files: read once, so that no name of a file is ever asked for."""
    for file in sorted(PAGE.iterdir()):
        if file.suffix in _TYPES:
            where = "/" if file.name == "index.html" else f"/{file.name}"
            sent = _page_file(file.read_bytes(), _TYPES[file.suffix])
            app.router.add_route(where, sent, methods=["GET"])


def _page_file(content: bytes, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def sent(request: Request) -> Response:
        return Response(content, media_type=kind, headers={"Cache-Control": "no-cache"})

    return sent


def _add_errors(app: FastAPI) -> None:
    def said(status: int, message: str) -> JSONResponse:
        return JSONResponse({"error": " ".join(message.split())}, status)

    @app.exception_handler(PolymatchError)
    async def refused(request: Request, error: PolymatchError) -> JSONResponse:
        return said(error.status if isinstance(error, Refusal) else 400, str(error))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        given = repr(first["input"])
        given = given if len(given) <= 60 else f"{given[:60]}…"
        return said(422, f"{first['loc'][-1]}: {given} is not allowed: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def refused_by_http(request: Request, error: HTTPException) -> JSONResponse:
        words = {404: "there is nothing here; the page is at /"}
        return said(error.status_code, words.get(error.status_code, str(error.detail)))

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return said(500, "an error of the server itself; its terminal says more")
