"""The server itself: HTTP on loopback, and how it fails."""

import base64
import contextlib
import json
import socket
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from .faults import Fault
from .graphql import Request
from .service import Service

KEY = "0123456789abcdef0123456789abcdef01234567"
"""The one key that the server takes."""
_AUTHORIZATION = "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()


class WandbServer(Service):
    """A server on a free port of 127.0.0.1. Use it as a context manager."""

    def __init__(self):
        super().__init__()
        self.mistakes = []
        """Tracebacks of its own."""
        self.requests = []
        """The name of every request, in order."""
        self.bodies = []
        """The body of every request, as text."""
        self.faults = []
        self._http = None
        self._port = 0

    def __enter__(self):
        self.come_back()
        return self

    def __exit__(self, *_):
        self.go_away()

    def fail(self, name, **how):
        """Let requests fail from now on; see `Fault`."""
        fault = Fault(name, **how)
        self.faults.append(fault)
        return fault

    def go_away(self):
        """Refuse every connection, and drop those that are open."""
        if self._http is not None:
            self._http.shutdown()
            self._http.server_close()
            self._http.drop_all()
            self._http = None

    def come_back(self):
        """Listen, on the same port as before, with everything that was known."""
        self._http = _Listener(("127.0.0.1", self._port), self)
        self._port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self._port}"
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address, owner):
        self.owner = owner
        self._open = set()
        super().__init__(address, _Handler)

    def get_request(self):
        request, address = super().get_request()
        self._open.add(request)
        return request, address

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def drop_all(self):
        for request in list(self._open):
            with contextlib.suppress(OSError):
                request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """A connection that broke is part of the play; anything else is a mistake of the server's."""
        if not isinstance(sys.exception(), OSError):
            self.owner.mistakes.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Say nothing."""

    def do_POST(self):
        body = self._body()
        path = urlsplit(self.path).path
        if path == "/graphql":
            content = json.loads(body)
            request = Request(content["query"], content.get("variables"))
            if self.headers.get("Authorization") == _AUTHORIZATION:
                self._serve(request.name, body, lambda: self.server.owner.answer(request))
            else:
                self._send(401, {"errors": [{"message": "user is not logged in"}]})
        elif path.endswith("/file_stream"):
            _, _, entity, project, run, _ = (unquote(part) for part in path.split("/"))
            self._serve(
                "file_stream",
                body,
                lambda: (200, self.server.owner.stream(entity, project, run, json.loads(body))),
            )
        else:
            self.server.owner.unmodelled.add(f"POST {path}")
            self._send(404, {})

    def do_PUT(self):
        body = self._body()
        _, kind, run, file = self.path.split("/", 3)
        if kind == "upload":
            self._serve("upload", b"", lambda: (200, self.server.owner.upload(run, unquote(file), body) or {}))

    def do_GET(self):
        if self.path == "/healthz":
            self._serve("healthz", b"", lambda: (200, {}))
            return
        self.server.owner.unmodelled.add(f"GET {self.path}")
        self._send(404, {})

    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _serve(self, name, body, work):
        owner = self.server.owner
        owner.requests.append(name)
        owner.bodies.append(body.decode())
        fault = next((fault for fault in owner.faults if fault.meets(name)), None)
        if fault is None:
            self._send(*work())
            return
        time.sleep(fault.seconds)
        if fault.after:
            work()
        if fault.drop:
            self.close_connection = True
        elif fault.status is not None:
            self._send(fault.status, {"error": "told to fail"})
        elif fault.errors is not None:
            self._send(200, {"data": None, "errors": [{"message": fault.errors}]})
        else:
            self._send(*work())

    def _send(self, status, content):
        text = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
