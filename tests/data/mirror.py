"""A real HTTP server on the loopback, with the bad habits of real ones."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from polymatch.data.remote import RemoteFile
from polymatch.data.transfer import Patience

QUICK = Patience(attempts=3, stall_seconds=1.0, first_wait=0.01, longest_wait=0.05)


class Mirror(ThreadingHTTPServer):
    """Serves ``content`` at any path; ``acts`` are used up first, one a request.

    Attributes:
        requests: (path, headers) of every request.
        sent: bytes of bodies that were really sent, a number a request.
    """

    daemon_threads = True

    def __init__(self, content=b"", acts=()):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content = content
        self.acts = list(acts)
        self.requests = []
        self.sent = []
        self.tag = None
        self.released = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/file"

    def remote(self, name="data/clips.bin", known=True, **more):
        fields = {
            "urls": (self.url,),
            "bytes": len(self.content) if known else None,
            "sha256": hashlib.sha256(self.content).hexdigest() if known else None,
            "about": "clips",
            "licence": "MIT",
        }
        return RemoteFile(name, **(fields | more))

    def handle_error(self, request, client_address):
        """A client that hangs up is what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.path, dict(self.headers)))
        self.server.sent.append(0)
        self.number = len(self.server.sent) - 1
        (self.server.acts.pop(0) if self.server.acts else serve())(self)

    def body(self, data):
        for start in range(0, len(data), 4096):
            piece = data[start : start + 4096]
            self.wfile.write(piece)
            self.server.sent[self.number] += len(piece)

    def head(self, status, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, format, *args):
        """Quiet."""


def serve(ranges=True, first=None, then=None, length=None, **headers):
    """The content, or the part asked for if ``ranges``; ``first`` bytes of it, then ``then``."""

    def act(handler):
        server = handler.server
        content, start, status = server.content, 0, 200
        if server.tag:
            headers.setdefault("ETag", server.tag)
        asked = handler.headers.get("Range") if ranges else None
        if asked and handler.headers.get("If-Range") in (None, server.tag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length=0)
                return
            status = 206
            headers["Content_Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        said = len(content) - start if length is None else length
        handler.head(status, Content_Length=said, **headers)
        handler.body(content[start:][:first])
        if then:
            then(handler)

    return act


def cut(after, **how):
    """The server breaks off after so many bytes."""
    return serve(first=after, then=lambda handler: handler.hang_up(), **how)


def stall(after):
    """The server says no more after so many bytes, until the test ends."""
    return serve(first=after, then=lambda handler: handler.server.released.wait(20))


def drip(handler):
    """A byte now and then: never silent, and never done."""
    handler.head(200, Content_Length=len(handler.server.content))
    while not handler.server.released.wait(0.1):
        handler.body(b"x")


def status(code, **headers):
    return lambda handler: handler.head(code, Content_Length=0, **headers)


def redirect(to):
    return status(302, Location=to)


def send(data, *, length=True, **headers):
    """Something else, whole, with or without its length."""

    def act(handler):
        if length:
            headers["Content_Length"] = len(data)
        else:
            headers["Connection"] = "close"
        handler.head(200, **headers)
        handler.body(data)
        if not length:
            handler.hang_up()

    return act


def chunked(data, whole=True):
    """In chunks without a length; the last one is missing if it is not ``whole``."""

    def act(handler):
        handler.head(200, Transfer_Encoding="chunked")
        handler.body(b"%x\r\n%s\r\n" % (len(data), data))
        if whole:
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.hang_up()

    return act


@contextmanager
def running(content=b"", *acts):
    """A mirror that serves while the block runs."""
    with Mirror(content, acts) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.released.set()
            server.shutdown()
            thread.join()
