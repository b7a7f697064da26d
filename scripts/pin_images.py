"""Pin the images of the stack and of deploy/kubernetes to the digests that their registries give for the tags.

usage: python scripts/pin_images.py [MIRROR]

MIRROR is the address of a registry to ask for all images, such as http://localhost:5000. By default each image's own
registry is asked. Nothing is written unless all digests are known.
"""

import hashlib
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

_ROOT = Path(__file__).resolve().parent.parent
_FILES = ("docker-compose*.yml", ".env.example", "deploy/kubernetes/**/*.yaml")
_IMAGE = re.compile(
    r"(?P<image>(?:\bimage: (?:\$\{[A-Z_]+:-)?|[A-Z]_IMAGE=)(?P<name>[a-z0-9][\w.:/-]*):(?P<tag>[\w.-]+))"
    r"(?:@sha256:[0-9a-f]{64})?"
)
_DOCKER_HUB = "https://registry-1.docker.io"
_MANIFESTS = (
    # Of all platforms together, so that the digest fits every machine.
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_UNAUTHORISED = 401
_TIMEOUT_S = 30.0
_LARGEST_MANIFEST = 4 * 2**20  # bytes; registries accept no larger one


class Image(NamedTuple):
    """An image as a file names it."""

    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


class RegistryError(Exception):
    """A registry does not give a digest; the message says why."""


def main(arguments: list[str], root: Path = _ROOT) -> int:
    """Pin all images, and return the exit code."""
    mirror = arguments[0].rstrip("/") if arguments else None
    texts = {path: path.read_text(encoding="utf-8") for path in _files(root)}
    images = sorted({Image(found["name"], found["tag"]) for text in texts.values() for found in _IMAGE.finditer(text)})
    digests: dict[Image, str] = {}
    for image in images:
        try:
            digests[image] = digest(image, mirror)
        except RegistryError as error:
            print(f"{image}: {error}; nothing is changed: run this where the registry can be reached", file=sys.stderr)
            return 1
        print(f"{image}@{digests[image]}")
    for path, text in texts.items():
        pinned = _IMAGE.sub(lambda found: f"{found['image']}@{digests[Image(found['name'], found['tag'])]}", text)
        if pinned != text:
            path.write_text(pinned, encoding="utf-8")
    return 0


def _files(root: Path) -> Iterator[Path]:
    for pattern in _FILES:
        yield from sorted(root.glob(pattern))


def digest(image: Image, mirror: str | None = None) -> str:
    """Return the digest of an image, such as ``sha256:1f0c...``, computed from the manifest that its registry sends.

    Args:
        image: Name and tag.
        mirror: Address of the registry to ask. Default: the image's own.

    Raises:
        RegistryError: The registry does not answer, or does not have the image.
    """
    registry, repository = _place(image.name)
    address = f"{mirror or registry}/v2/{repository}/manifests/{image.tag}"
    try:
        manifest, promised = _fetch(address, {"Accept": ", ".join(_MANIFESTS)})
    except urllib.error.HTTPError as error:
        raise RegistryError(f"{address} answers {error.code} {error.reason}") from error
    except (OSError, ValueError, HTTPException) as error:
        raise RegistryError(f"no answer from {mirror or registry} ({error})") from error
    actual = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
    if promised not in {None, actual}:
        raise RegistryError(f"{address} sends a manifest that is not the one it names")
    return actual


def _place(name: str) -> tuple[str, str]:
    """Return the address of an image's registry and its repository there, by Docker's rules."""
    host, _, rest = name.partition("/")
    if rest and ("." in host or ":" in host or host == "localhost"):
        return f"https://{host}", rest
    return _DOCKER_HUB, name if rest else f"library/{name}"


def _fetch(address: str, headers: dict[str, str]) -> tuple[bytes, str | None]:
    """Return a manifest and the digest that the registry gives for it, with the token that it may want first."""
    try:
        return _get(address, headers)
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate", "")
        if error.code != _UNAUTHORISED or not challenge.startswith("Bearer "):
            raise
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    if not fields.get("realm", "").startswith(("https://", "http://")):
        raise ValueError("it names no place to get a token")
    query = urllib.parse.urlencode({key: fields[key] for key in ("service", "scope") if key in fields})
    answer = json.loads(_get(f"{fields['realm']}?{query}", {})[0])
    token = answer.get("token") or answer.get("access_token") if isinstance(answer, dict) else None
    return _get(address, {**headers, "Authorization": f"Bearer {token}"})


def _get(address: str, headers: dict[str, str]) -> tuple[bytes, str | None]:
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 - of a registry
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        return answer.read(_LARGEST_MANIFEST), answer.headers.get("Docker-Content-Digest")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
