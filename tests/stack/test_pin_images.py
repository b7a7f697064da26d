"""`make pin-images` writes what registries say, and nothing where they say nothing."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pin_images
import pytest
from pin_images import Image

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = b'{"manifests": []}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
OLD = f"sha256:{'0' * 64}"


class Registry:
    """A registry on loopback: it wants a token, has every image but those in `missing`, and notes what it is asked."""

    def __init__(self) -> None:
        self.missing: set[str] = set()
        self.asked: list[str] = []
        self.promised = DIGEST
        self.url = ""


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Run a registry."""
    state = Registry()

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.asked.append(self.path)
            if self.path.startswith("/token"):
                return self.answer(200, json.dumps({"token": "a-token"}).encode())
            if self.headers.get("Authorization") != "Bearer a-token":
                challenge = f'Bearer realm="{state.url}/token",service="test",scope="repository:x:pull"'
                return self.answer(401, b"", {"WWW-Authenticate": challenge})
            if "image.index" not in self.headers["Accept"] or any(name in self.path for name in state.missing):
                return self.answer(404, b"")
            return self.answer(200, MANIFEST, {"Docker-Content-Digest": state.promised})

        def answer(self, code: int, body: bytes, headers: "dict[str, str] | None" = None) -> None:
            self.send_response_only(code)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the files that name images."""
    for path in pin_images._files(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    return tmp_path


def images(folder: Path) -> list[str]:
    """Return every image that the files name."""
    texts = [path.read_text() for path in pin_images._files(folder)]
    return [found for text in texts for found in re.findall(r"(?:image: |_IMAGE=)(?:\$\{\w+:-)?([a-z][^}\s]+)", text)]


def test_every_image_gets_the_digest_of_its_manifest(folder, registry, capsys):
    """All files name each image by tag and digest; old digests are replaced, and nothing else changes."""
    compose = folder / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("jaeger:2.21.0}", f"jaeger:2.21.0@{OLD}}}"))
    before = images(folder)
    assert pin_images.main([registry.url], folder) == 0
    after = images(folder)
    assert after == [f"{image.partition('@')[0]}@{DIGEST}" for image in before]
    assert len(after) > 10
    assert "/v2/library/cassandra/manifests/" in "".join(registry.asked)
    plain = [path.read_text().replace(f"@{DIGEST}", "") for path in pin_images._files(folder)]
    assert plain == [re.sub("@sha256:[0-9a-f]{64}", "", path.read_text()) for path in pin_images._files(ROOT)]
    assert f"prom/prometheus:v3.15.0@{DIGEST}" in capsys.readouterr().out


@pytest.mark.parametrize("trouble", ["silent", "missing", "lying"])
def test_without_an_answer_nothing_is_written(folder, registry, capsys, trouble):
    """One line names the image and the reason, the exit code is 1, and no file changes, not even for other images."""
    url = registry.url
    if trouble == "silent":
        url = "http://127.0.0.1:1"
    elif trouble == "missing":
        registry.missing.add("prom/prometheus")
    else:
        registry.promised = OLD
    before = [path.read_text() for path in pin_images._files(folder)]
    assert pin_images.main([url], folder) == 1
    assert [path.read_text() for path in pin_images._files(folder)] == before
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "nothing is changed" in errors


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("cassandra", ("https://registry-1.docker.io", "library/cassandra")),
        ("prom/prometheus", ("https://registry-1.docker.io", "prom/prometheus")),
        ("quay.io/prometheus/prometheus", ("https://quay.io", "prometheus/prometheus")),
        ("localhost:5000/x/y", ("https://localhost:5000", "x/y")),
    ],
)
def test_each_image_has_its_registry(name, place):
    """The registry of an image follows from its name, as Docker reads it."""
    assert pin_images._place(name) == place
    assert str(Image(name, "1.0")) == f"{name}:1.0"
