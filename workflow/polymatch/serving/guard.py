"""What stands before every answer: whose request it is, and what a browser may do with the answer.

A server on this machine alone is still within reach of every page that its user's browser shows.
Two things keep those out: the Host header must name this machine (a stranger's name that was made
to point here, "DNS rebinding", does not), and a browser that says it asks for another site's page
(Sec-Fetch-Site, Origin) gets nothing but the page itself, to which people may link.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = {"/api/file": ("POST",)}
READING = ("GET", "HEAD")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# An item's file that is opened by itself may do nothing, whatever is in it.
FILE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


class Guard:
    """Refuses what is not asked on purpose, and adds the headers to every answer.

    Args:
        app: what answers.
        names: names that this machine goes by, beside its loopback addresses and ``localhost``.
        network: whether it is served to other machines; then any address is a name of it, since a
            name that was made to point here is no address.
    """

    def __init__(self, app: ASGIApp, names: Iterable[str] = (), network: bool = False) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower().rstrip(".") for name in names)}
        self._network = network

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or say why not."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if message["status"] >= 400 and scope["method"] not in READING:
                    # What is still to come of its body is not waited for.
                    headers["Connection"] = "close"
            await send(message)

        refusal = self._refusal(scope["method"], scope["path"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, with_headers)
            return
        status, reason = refusal
        await JSONResponse({"error": reason}, status)(scope, receive, with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_this(hosts[0]):
            shown = ", ".join(hosts)[:80] or "nothing"
            return 421, (
                f"this server does not go by the name {shown!r}; open the address that it printed"
            )
        if method in READING and {*headers} & {"transfer-encoding", "content-length"}:
            return 400, "a question has no body; send a file to /api/file"
        allowed = METHODS.get(path, READING)
        if method not in allowed:
            return 405, f"{method} is not allowed here; this server answers searches, no more"
        elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2] != hosts[0]:
            elsewhere = True
        if elsewhere and path != "/":
            return 403, "asked by a page of another site; open this server's own page"
        return None

    def _is_this(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = match.group(1).lower().rstrip(".")
        if name in self._names:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        return self._network or address.is_loopback
