"""The HTTP server, on loopback, and how it fails."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import sys
import threading
import time
import traceback
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote, urlsplit

from .faults import Fault
from .graphql_request import GraphQLRequest
from .service import Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    Answer: TypeAlias = tuple[int, dict[str, Any]]

KEY = "0123456789abcdef0123456789abcdef01234567"
"""The only API key that the server accepts."""

_AUTHORIZATION = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()


class WandbServer(Service):
    """A server on a free port of 127.0.0.1. Use it as a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[str] = []
        """Tracebacks of the server's own errors."""
        self.requests: list[str] = []
        """The name of every request, in order."""
        self.bodies: list[str] = []
        """The body of every request."""
        self._faults: list[Fault] = []
        self._http: _Listener | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def fail(self, name: str, **how: Any) -> Fault:
        """Let requests fail from now on; see `Fault`."""
        fault = Fault(name, **how)
        self._faults.append(fault)
        return fault

    def stop(self) -> None:
        """Refuse every connection, and close those that are open."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http.drop_all()
            self._http = None

    def start(self) -> None:
        """Listen, after `stop` on the same port as before and with everything that was stored."""
        self._http = _Listener(("127.0.0.1", self._port), self)
        self._port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def serve(self, name: str, body: bytes, work: Callable[[], Answer]) -> Answer | None:
        """Record a request and return its answer; None if the connection must be closed without one."""
        self.requests.append(name)
        self.bodies.append(body.decode())
        fault = next((fault for fault in self._faults if fault.applies_to(name)), None)
        if fault is None:
            return work()
        time.sleep(fault.seconds)
        if fault.after:
            work()
        if fault.drop:
            return None
        if fault.status is not None:
            return fault.status, {"error": "failure on request"}
        if fault.errors is not None:
            return 200, {"data": None, "errors": [{"message": fault.errors}]}
        return work()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], owner: WandbServer) -> None:
        self._owner = owner
        self._open: set[Any] = set()
        super().__init__(address, partial(_Handler, owner))

    def get_request(self) -> tuple[Any, Any]:
        request, address = super().get_request()
        self._open.add(request)
        return request, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_all(self) -> None:
        for request in list(self._open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep the traceback, unless a connection broke: tests break them."""
        if not isinstance(sys.exception(), OSError):
            self._owner.errors.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, owner: WandbServer, *connection: Any) -> None:
        self._owner = owner
        super().__init__(*connection)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is http.server's)
        """Print nothing."""

    def do_POST(self) -> None:
        body, path = self._body(), urlsplit(self.path).path
        if path == "/graphql":
            self._answer_graphql(body)
        elif path.endswith("/file_stream"):
            _, _, entity, project, run, _ = (unquote(part) for part in path.split("/"))
            content = json.loads(body)
            self._answer("file_stream", body, lambda: (200, self._owner.stream(entity, project, run, content)))
        else:
            self._refuse(f"POST {path}")

    def do_PUT(self) -> None:
        body = self._body()
        _, kind, run, file = self.path.split("/", 3)
        if kind == "upload":
            self._answer("upload", b"", lambda: (200, self._owner.upload(run, unquote(file), body) or {}))
        else:
            self._refuse(f"PUT {self.path}")

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer("healthz", b"", lambda: (200, {}))
        else:
            self._refuse(f"GET {self.path}")

    def _answer_graphql(self, body: bytes) -> None:
        content = json.loads(body)
        request = GraphQLRequest(content["query"], content.get("variables"))
        if self.headers.get("Authorization") == _AUTHORIZATION:
            self._answer(request.name, body, lambda: self._owner.answer(request))
        else:
            self._send(401, {"errors": [{"message": "user is not logged in"}]})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _refuse(self, request: str) -> None:
        self._owner.unsupported.add(request)
        self._send(404, {})

    def _answer(self, name: str, body: bytes, work: Callable[[], Answer]) -> None:
        answer = self._owner.serve(name, body, work)
        if answer is None:
            self.close_connection = True
        else:
            self._send(*answer)

    def _send(self, status: int, content: dict[str, Any]) -> None:
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
