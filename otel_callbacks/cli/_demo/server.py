"""An OpenAI-compatible server on loopback: chat completions (JSON and server-sent events), embeddings and errors.

Requests below ``/status/NNN/`` fail with that HTTP status, all others are answered from `script`.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Final

from otel_callbacks.cli._demo import script

HOST: Final = "127.0.0.1"
THINKING_S: Final = 0.03
"""Delay before an answer, in seconds; a whole answer takes `TOKEN_S` per token on top, a stream per chunk."""
TOKEN_S: Final = 0.002

_SNAPSHOTS: Final = {"gpt-4o-mini": "2024-07-18", "gpt-4.1-mini": "2025-04-14"}
"""What providers add to a model's name in their answers."""

_ERRORS: Final = {
    429: ("rate_limit_error", "rate_limit_exceeded", "Rate limit reached: 3 requests per minute."),
    500: ("server_error", None, "The server had an error while processing your request."),
}


@contextmanager
def serve() -> Iterator[str]:
    """Run the server on a free port and yield its address, such as ``http://127.0.0.1:40123``, until the block ends."""
    with _Server((HOST, 0), _Handler) as server:
        # Polled often, because stopping takes as long as one poll.
        threading.Thread(target=server.serve_forever, args=(0.05,), name="demo-model-server", daemon=True).start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}"
        finally:
            server.shutdown()


class _Server(ThreadingTCPServer):
    """Not `http.server.HTTPServer`, which asks the resolver for this machine's name when it binds."""

    # Otherwise closing the server waits for connections that clients keep alive.
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report failures of this server, but not clients that hung up, as Ctrl-C makes them do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    # HTTP/1.0, the default, needs a new connection for each call.
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Keep requests off the terminal."""

    def do_POST(self) -> None:
        """Route one request by its path."""
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.startswith("/status/"):
            self._send_error(int(self.path.split("/")[2]))
        elif self.path.endswith("/embeddings"):
            self._send_json(_embeddings(request))
        elif request.get("stream"):
            self._send_events(request)
        else:
            answer = script.reply(request)
            time.sleep(THINKING_S + TOKEN_S * script.count_tokens(answer.text))
            self._send_json(_completion(request, answer))

    def _send_error(self, status: int) -> None:
        kind, code, message = _ERRORS[status]
        self._send_json({"error": {"type": kind, "code": code, "message": message, "param": None}}, status)

    def _send_json(self, body: Mapping[str, Any], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_events(self, request: Mapping[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        # Without a length, only the end of the connection ends the answer.
        self.send_header("connection", "close")
        self.end_headers()
        time.sleep(THINKING_S)
        for chunk in _chunks(request, script.reply(request)):
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
            time.sleep(TOKEN_S)
        self.wfile.write(b"data: [DONE]\n\n")


def _head(request: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-demo",
        "object": kind,
        "created": 1767225600,
        "model": f"{request['model']}-{_SNAPSHOTS.get(request['model'], 'latest')}",
        "system_fingerprint": "fp_demo",
    }


def _completion(request: Mapping[str, Any], answer: script.Reply) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text or None, "tool_calls": _tool_calls(request, answer)}
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
    return _head(request, "chat.completion") | {"choices": [choice], "usage": script.usage(request, answer)}


def _chunks(request: Mapping[str, Any], answer: script.Reply) -> Iterator[dict[str, Any]]:
    head = _head(request, "chat.completion.chunk")
    pieces: list[dict[str, Any]] = [{"content": word} for word in _words(answer.text)]
    if answer.tool_call:
        pieces = [{"tool_calls": _tool_calls(request, answer)}]
    for delta in [{"role": "assistant", "content": ""}, *pieces]:
        yield head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield head | {"choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish_reason}]}
    if (request.get("stream_options") or {}).get("include_usage"):
        yield head | {"choices": [], "usage": script.usage(request, answer)}


def _words(text: str) -> list[str]:
    """Split after each space, so that the pieces add up to the text."""
    return [word for word in text.replace(" ", " \0").split("\0") if word]


def _tool_calls(request: Mapping[str, Any], answer: script.Reply) -> list[dict[str, Any]] | None:
    if answer.tool_call is None:
        return None
    name, arguments = answer.tool_call
    # Unique within a conversation, and the same in each run of the demo.
    call_id = f"call_{len(request['messages'])}"
    return [
        {
            "index": 0,
            "id": call_id,
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
    ]


def _embeddings(request: Mapping[str, Any]) -> dict[str, Any]:
    texts = script.texts_of(request)
    tokens = sum(map(script.count_tokens, texts))
    data = [{"object": "embedding", "index": i, "embedding": script.embed(text)} for i, text in enumerate(texts)]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": request["model"], "data": data, "usage": usage}
