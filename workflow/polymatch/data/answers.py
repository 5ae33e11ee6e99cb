"""What servers answer, as far as a download depends on it, and what goes wrong below HTTP."""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from polymatch.data.remote import SCHEMES

TRANSIENT = {408, 425, 429, 500, 502, 503, 504}


class MirrorFailed(Exception):
    """This mirror will not give the file; the message says why."""


class Interrupted(Exception):
    """This attempt is over, another one may do.

    Attributes:
        wait: seconds that the server asks to wait before.
    """

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Session(requests.Session):
    """Follows redirects to http and https only, and none from https to http.

    Proxies are those of the environment (``http_proxy``, ``https_proxy``, ``no_proxy``).
    """

    def __init__(self) -> None:
        super().__init__()
        self.max_redirects = 10
        # Bytes as they lie on the server: what is compressed on the way cannot be gone on with.
        self.headers.update({"Accept-Encoding": "identity", "User-Agent": "polymatch"})

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Where an answer leads, if it leads anywhere."""
        target = super().get_redirect_target(resp)
        scheme = urlsplit(target or "").scheme
        unsafe = scheme == "http" and resp.url.startswith("https:")
        if scheme and (scheme not in SCHEMES or unsafe):
            raise MirrorFailed(f"redirects to {target}, which is not followed")
        return target


def validator(response: requests.Response) -> str | None:
    """How the server names this version of the file: a strong ETag, else Last-Modified."""
    etag = response.headers.get("ETag", "")
    # A weak one (W/) says that the file means the same, not that its bytes are the same.
    return etag if etag.startswith('"') else response.headers.get("Last-Modified")


def content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """First byte and total size of a Content-Range; None where it does not say."""
    said = response.headers.get("Content-Range", "").strip()
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", said)
    first, total = found.groups() if found else (None, None)
    return (None if first is None else int(first)), (None if total is None else int(total))


def content_length(response: requests.Response) -> int | None:
    """Size of what is sent, where the server says it."""
    said = response.headers.get("Content-Length", "")
    return int(said) if said.isdecimal() else None


def refusal(response: requests.Response) -> Exception:
    """A status that is no file, as an error that says whether another attempt may do."""
    reason = f"HTTP {response.status_code} {response.reason}".rstrip()
    if response.status_code in TRANSIENT:
        return Interrupted(reason, _retry_after(response))
    return MirrorFailed(reason)


def failure(error: Exception, stall_seconds: float) -> Exception:
    """What went wrong below HTTP, in people's words."""
    if isinstance(error, requests.TooManyRedirects):
        return MirrorFailed("redirects in a circle")
    if isinstance(error, requests.Timeout | urllib3.exceptions.TimeoutError | TimeoutError):
        return Interrupted(f"nothing came for {stall_seconds:g} s")
    said = _innermost(error)
    if isinstance(error, requests.exceptions.ProxyError):
        return Interrupted(f"the proxy that the environment names: {said}")
    lasting = isinstance(error, requests.exceptions.SSLError | ValueError)
    return MirrorFailed(said) if lasting else Interrupted(said)


def _retry_after(response: requests.Response) -> float:
    said = response.headers.get("Retry-After", "")
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return 0.0


def _innermost(error: Any) -> str:
    """The reason at the bottom, which is what a person can act on, without objects' names."""
    while True:
        inside = [getattr(error, "reason", None), *error.args]
        deeper = next((one for one in inside if isinstance(one, Exception)), None)
        if deeper is None:
            break
        error = deeper
    said = error.args[0] if error.args and isinstance(error.args[0], str) else str(error)
    return re.sub(r"^\S*\(.*?\): ", "", said) or type(error).__name__
