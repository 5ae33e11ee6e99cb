"""A model fetched from a hub that is served on the loopback, by the hub's own client."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from . import tiny_models

LIBRARY = Path(__file__).parents[2] / "workflow"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROGRAM = """
import sys
from polymatch.encoders import LoadOptions, load_encoder
from polymatch.errors import DataError
for word in sys.argv[2:]:
    options = LoadOptions("polymatch/tiny", sys.argv[1], download=word == "download")
    try:
        print(load_encoder("e5", "cpu", options).encode_captions(["a cat"]).shape)
    except DataError as error:
        print(f"DataError: {error}")
"""


class Hub(BaseHTTPRequestHandler):
    """The few pages of a model hub that its client asks for: the list of files, and files."""

    folder: Path
    asked: list[str]

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, with_body):
        path = self.path.partition("?")[0]
        self.asked.append(f"{self.command} {path}")
        files = {p.relative_to(self.folder).as_posix(): p for p in self.folder.rglob("*.*")}
        listing, resolve = "/api/models/polymatch/tiny/tree/", f"/polymatch/tiny/resolve/{COMMIT}/"
        if path == f"{listing}{COMMIT}":
            sums = {name: hashlib.sha1(p.read_bytes()).hexdigest() for name, p in files.items()}
            rows = [
                {"type": "file", "path": n, "size": p.stat().st_size, "oid": sums[n]}
                for n, p in files.items()
            ]
            self._send(200, json.dumps(rows).encode(), {"Content-Type": "application/json"})
        elif path.startswith(resolve) and path.removeprefix(resolve) in files:
            body = files[path.removeprefix(resolve)].read_bytes()
            tag = f'"{hashlib.sha1(body).hexdigest()}"'
            headers = {"ETag": tag, "X-Repo-Commit": COMMIT}
            self._send(200, body, headers, with_body)
        else:
            headers = {"X-Error-Code": "RevisionNotFound"} if path.startswith(listing) else {}
            self._send(404, b"", headers)

    def _send(self, status, body, headers, with_body=True):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_):
        """Nothing on the terminal."""


@pytest.fixture
def hub(tmp_path):
    """Address of the hub, the folder that it serves, and what was asked of it."""
    folder = tiny_models.tiny_small_e5(tmp_path / "served")
    (folder / "pytorch_model.bin").write_bytes(b"pickled")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"of another format")
    asked: list[str] = []
    handler = type("TinyHub", (Hub,), {"folder": folder, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def run(hub, tmp_path):
    """Runs the program in a process of its own: its client reads the address when imported."""
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {
        "HF_ENDPOINT": hub[0],
        "HF_HOME": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DOWNLOAD_TIMEOUT": "5",
        "HF_HUB_ETAG_TIMEOUT": "5",
        "PYTHONPATH": str(LIBRARY),
    }

    def program(revision, *downloads, **changes):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, revision, *downloads],
            env=environment | changes,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return program


@pytest.mark.long
def test_fetched_once_and_only_when_asked(hub, run):
    _, folder, asked = hub
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    unasked, loaded, shape, *again = run(COMMIT, "no", "download", "no", "download")
    assert "are not on this machine; set `download: true`, or run" in unasked
    assert loaded == f"e5: polymatch/tiny@{COMMIT}; licence: mit (its model card); float32 on cpu"
    assert shape == "(1, 32)" and again == [loaded, shape] * 2
    fetched = [line.rpartition("/")[2] for line in asked if line.startswith("GET /polymatch")]
    assert {"config.json", "model.safetensors", "tokenizer.json", "README.md"} <= set(fetched)
    assert len(fetched) == len(set(fetched))
    assert not any("pytorch_model" in line or "onnx" in line for line in asked)
    asked.clear()
    assert run(COMMIT, "download", HF_HUB_OFFLINE="1") == [loaded, shape]
    assert asked == []


@pytest.mark.long
def test_a_hub_that_has_it_not(run):
    other = "f" * 40
    (said,) = run(other, "download")
    assert said.startswith(
        f"DataError: encoder e5: the weights of polymatch/tiny (revision {other}) could not be fet"
    )
    assert said.endswith("FOLDER` where there is a network and name that folder as `model`")


@pytest.mark.long
def test_a_hub_that_does_not_answer(run):
    """Its client asks six times, over half a minute."""
    (said,) = run(COMMIT, "download", HF_ENDPOINT="http://127.0.0.1:9")
    assert "could not be fetched (Got: ConnectError: [Errno 111] Connection refused" in said
