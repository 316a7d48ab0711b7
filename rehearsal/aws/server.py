"""The lab's one HTTP server: RDS from the lab, every other service from moto, and `/_lab/`.

moto's own server answers an unknown action or an internal error with a page that no AWS client
can read; here such errors become the ones that AWS sends.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from moto.core.request import Request
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from werkzeug.serving import BaseWSGIServer, make_server
from werkzeug.wrappers import Response

from rehearsal.aws.api_request import ApiRequest, read_request, signed_service
from rehearsal.aws.audit import changed_zone
from rehearsal.aws.control import Control
from rehearsal.aws.error_answers import Answer, error_xml
from rehearsal.aws.wire import Wire

_log = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
LabApi = Callable[[str, str, dict[str, Any]], tuple[int, dict[str, Any]]]


class Application:
    """A WSGI application that sends each request to the service it is signed for."""

    def __init__(self, control: Control, lab: LabApi) -> None:
        self._control = control
        self._wire = Wire(control)
        self._lab = lab
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ.get("PATH_INFO", "")
        if path.startswith("/_lab/"):
            return self._answer_lab(path.removeprefix("/_lab/"), environ, start_response)
        as_json = "HTTP_X_AMZ_TARGET" in environ
        if expired := self._wire.refuses_credentials(as_json=as_json):
            return _respond(expired, environ, start_response)
        request = _buffered(environ)
        read = read_request(request)
        if read is None:
            return self._answer(request, environ, start_response)
        if refusal := read.refusal() or self._control.policies.refusal(read):
            return _respond(refusal, environ, start_response)
        return self._held(read, request, environ, start_response)

    def _held(
        self, read: ApiRequest, request: Request, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        """Answer a request that is sound, and hold the answer against the model."""
        statuses: list[str] = []

        def starting(status: str, *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, *rest)

        body = b"".join(self._answer(request, environ, starting))
        self._control.answers.hold(read, int(statuses[-1].split()[0]), body)
        return [body]

    def _answer(
        self, request: Request, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if signed_service(request.headers.get("Authorization", "")) == "rds":
            return _respond(self._wire.answer(request), environ, start_response)
        return self._answer_moto(environ, start_response)

    def _answer_lab(
        self, name: str, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        request = Request(environ)
        try:
            body = json.loads(request.get_data() or b"{}")
            status, answer = self._lab(request.method, name, body)
        except Exception as error:
            _log.exception("internal error in /_lab/%s", name)
            status, answer = 500, {"error": f"{type(error).__name__}: {error}"}
        response = Response(json.dumps(answer), status=status, mimetype="application/json")
        return response(environ, start_response)

    def _answer_moto(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        zone = changed_zone(environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", ""))

        def answering(status: str, *rest: Any) -> Any:
            if zone and status < "4":
                self._control.audit.record("ChangeResourceRecordSets", zone, lost=False)
            return start_response(status, *rest)

        try:
            return self._moto(environ, answering)  # type: ignore[no-any-return]
        except NotImplementedError as missing:
            code, status, message = "InvalidAction", 400, str(missing)
        except Exception as error:
            _log.exception("internal error outside RDS")
            code, status, message = "InternalFailure", 500, f"{type(error).__name__}: {error}"
        if "HTTP_X_AMZ_TARGET" in environ:
            body = json.dumps({"__type": code, "message": message})
            headers = {"Content-Type": "application/x-amz-json-1.1"}
            return _respond((status, headers, body), environ, start_response)
        return _respond(error_xml(status, code, message), environ, start_response)


def _buffered(environ: Environ) -> Request:
    """Return the request with its body read, and leave the body to whoever reads it next."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body = environ["wsgi.input"].read(length) if length else b""
    environ["wsgi.input"] = io.BytesIO(body)
    request = Request({**environ, "wsgi.input": io.BytesIO(body)})
    request.get_data()
    return request


def _respond(answer: Answer, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    status, headers, body = answer
    return Response(body, status=status, headers=headers)(environ, start_response)


class _Handler(MotoRequestHandler):  # type: ignore[misc]
    """Writes its access log where the lab's log goes, and ends a connection with its response."""

    def connection_dropped(self, error: BaseException, environ: Environ | None = None) -> None:
        """Close a connection whose response is lost, so that the client sees it at once."""
        self.close_connection = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        _log.debug(message, *args)


def serve(application: Application) -> BaseWSGIServer:
    """Return a server bound to a free port of 127.0.0.1; `serve_forever` runs it."""
    return make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Handler)
