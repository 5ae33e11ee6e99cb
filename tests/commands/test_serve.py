"""The command `serve`: over a real socket, and what it refuses before it opens one."""

import http.client
import json
import signal
import socket
import subprocess
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from polymatch.commands import main
from tests.serving.conftest import Place
from tests.serving.process import command, environment, serving


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("serve"))


@pytest.fixture(scope="module")
def server(place):
    with serving(place, "poly", "aligned") as (process, url):
        yield process, urlsplit(url)


def connection(server):
    return http.client.HTTPConnection(server[1].hostname, server[1].port, timeout=20)


def test_it_answers_where_it_says(server):
    assert server[1].hostname == "127.0.0.1"
    with urlopen(f"{server[1].geturl()}api/search?text=red%20heart&k=3") as answer:
        found = json.load(answer)
        assert answer.headers["server"] is None
    assert [hit["rank"] for hit in found["hits"]] == [1, 2, 3]


def test_it_is_not_reached_from_elsewhere(server):
    """It listens on the loopback address alone."""
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in others - {"127.0.0.1"}:
        if not address.startswith("127."):
            with pytest.raises(OSError):
                socket.create_connection((address, server[1].port), timeout=2).close()


def test_a_large_upload_is_cut_off_while_it_comes(server):
    """It has no length, and would never end."""
    there = connection(server)
    there.putrequest("POST", "/api/file?name=a.mp4")
    there.putheader("Content-Type", "application/octet-stream")
    there.putheader("Transfer-Encoding", "chunked")
    there.endheaders()
    block = bytes(1 << 20)
    sent = 0
    try:
        for _ in range(400):
            there.send(b"%x\r\n%b\r\n" % (len(block), block))
            sent += 1
        answer = None
    except OSError:
        answer = "closed"
    if answer is None:
        answer = there.getresponse().status
    assert answer in ("closed", 413) and sent < 400
    there.close()


def test_a_length_that_is_too_large_is_refused_before_the_body(server):
    there = connection(server)
    there.putrequest("POST", "/api/file?name=a.mp4")
    there.putheader("Content-Type", "application/octet-stream")
    there.putheader("Content-Length", str(1 << 40))
    there.endheaders()
    answer = there.getresponse()
    assert answer.status == 413
    assert json.load(answer) == {"error": "the file is larger than 64 MB; send a smaller one"}
    there.close()


@pytest.mark.parametrize(
    "target", ["/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/file?id=%00"]
)
def test_raw_paths_lead_to_nothing(server, target):
    """As no client would send them, which tidy them up."""
    with socket.create_connection((server[1].hostname, server[1].port), timeout=20) as there:
        there.sendall(
            f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        said = b"".join(iter(lambda: there.recv(65536), b""))
    assert said.startswith(b"HTTP/1.1 404") and b"root:" not in said


def test_rubbish_is_refused_and_the_server_goes_on(server):
    for sent in (b"\x16\x03\x01\x00\x00rubbish\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 70_000):
        with socket.create_connection((server[1].hostname, server[1].port), timeout=20) as there:
            there.sendall(sent)
            there.shutdown(socket.SHUT_WR)
            assert there.recv(12)[:10] in (b"", b"HTTP/1.1 4")
    test_it_answers_where_it_says(server)


def test_ctrl_c_ends_it(place):
    with serving(place, "aligned") as (process, _):
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        said = process.stderr.read()
        assert (process.wait(10), "Traceback" in said) == (0, False), said
        assert time.monotonic() - begun < 8


def test_other_machines_are_warned_of(place):
    with serving(place, "aligned", "--host", "0.0.0.0", "--allow-network") as (process, url):
        assert url.startswith("http://0.0.0.0:")
        process.terminate()
        said = process.stderr.read()
    assert (
        "warning: everyone who reaches 0.0.0.0 can search here, see the data set's pictures and "
        "send files; there is no password, and nothing is encrypted"
    ) in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["aligned", "--host", "0.0.0.0"],
            "--host 0.0.0.0: other machines would reach this page, which asks nobody for a "
            "password; say --allow-network if they may",
        ),
        (["alined"], "unknown run 'alined'; did you mean 'aligned'? allowed: aligned, "),
        (
            ["aligned", "poly", "--similarity", "a", "b", "c"],
            "--similarity: 3 kinds for 2 runs; give one, or one for each",
        ),
        (["aligned", "--port", "70000"], "--port 70000: a port is a number from 0 (any free one)"),
        (["aligned", "--upload-mb", "0"], "--upload-mb 0: a size of 1 or more"),
        (
            ["aligned", "--host", "203.0.113.9", "--allow-network"],
            "203.0.113.9 port 0: cannot listen there (",
        ),
    ],
)
def test_mistakes(place, capsys, arguments, message):
    port = [] if "--port" in arguments else ["--port", "0"]
    there = ["--configfile", str(place.folder / "config.yaml"), "--results", str(place.results)]
    assert main(["serve", *arguments, *port, *there]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"polymatch serve: {message}") and said.count("\n") == 1


def test_a_taken_port_is_said_at_once(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            command(place, "aligned", "--port", port),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert done.returncode == 2
    assert done.stderr == (
        f"polymatch serve: 127.0.0.1 port {port}: cannot listen there (Address already in use); "
        "choose another --port, or 0 for any free one\n"
    )
