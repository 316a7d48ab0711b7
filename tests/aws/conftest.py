"""An AWS endpoint of the test's own, which answers what the test scripts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from runbook.aws import Aws


@dataclass(frozen=True)
class Answer:
    """What the endpoint says: a status and a body, or `hang_up` without a word."""

    status: int = 200
    body: str = ""
    hang_up: bool = False


@dataclass
class Endpoint:
    """Scripted answers, the last one repeated, and the requests that came."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def error(self, status: int, code: str, message: str) -> None:
        """Answer every request from now on with an error in the query protocol's XML."""
        self.answers = [
            Answer(
                status,
                f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error>"
                "<RequestId>r</RequestId></ErrorResponse>",
            )
        ]

    def result(self, action: str, *bodies: str) -> None:
        """Answer with results of an action, one after the other."""
        self.answers = [
            Answer(
                200,
                f"<{action}Response><{action}Result>{body}</{action}Result>"
                f"<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></{action}Response>",
            )
            for body in bodies
        ]


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@pytest.fixture
def endpoint(credentials: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    scripted = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            fields = parse_qs(self.rfile.read(length).decode())
            scripted.requests.append({name: values[0] for name, values in fields.items()})
            answer = scripted.next()
            if answer.hang_up:
                self.close_connection = True
                self.connection.close()
                return
            body = answer.body.encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

        def finish(self) -> None:
            if not self.wfile.closed and self.connection.fileno() >= 0:
                super().finish()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    scripted.url = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", scripted.url)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield scripted
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def aws(endpoint: Endpoint) -> Aws:
    return Aws("us-east-1")
