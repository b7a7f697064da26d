"""Addresses that telemetry goes to: what is wrong with one, and what of it may be shown."""

import base64
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

WEB: Final = frozenset({"http", "https"})
"""Schemes of addresses that HTTP is sent to."""
_BESIDE_SECRETS: Final = frozenset("@?#")
_HIDDEN: Final = "(not a valid address)"
_PORTS: Final = range(1, 2**16)


def problem(address: str, schemes: Collection[str] = WEB) -> str | None:
    """Return what is wrong with an address; ``None`` if nothing is. The sentence holds no part of the address.

    Args:
        address: What a user gave, such as ``http://localhost:4318``.
        schemes: Schemes it may have; "" allows one without a scheme, such as ``localhost:4317``.
    """
    if not address.isprintable() or " " in address:
        return "it has a space or a control character"
    try:
        parts = _parts(address)
        host = parts.hostname
    except ValueError:
        return "its host is not valid"
    if parts.scheme not in schemes:
        return f"it must begin with {' or '.join(f'{scheme}://' for scheme in sorted(schemes) if scheme)}"
    if not host:
        return "it names no host"
    try:
        host.encode("idna")
    except UnicodeError:
        return "its host is not valid"
    try:
        port = parts.port
    except ValueError:
        port = 0
    return None if port is None or port in _PORTS else f"its port must be a number from 1 to {_PORTS[-1]}"


def public(address: str) -> str:
    """Return an address without user, password and parameters, all of which may be secrets.

    Where it is not clear which part is which, nothing of it is shown.
    """
    if _BESIDE_SECRETS.isdisjoint(address):
        return address
    if problem(address, {*WEB, ""}):
        return _HIDDEN
    parts = _parts(address)
    # After an @, what seems to be the path is the end of a password with a slash in it, or looks like one.
    if "@" in parts.path:
        return _HIDDEN
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, place, parts.path, "", "")).removeprefix("" if parts.scheme else "//")


def without_user(address: str) -> tuple[str, dict[str, str]]:
    """Return a valid address without its user and password, and the header that stands for them, if there are any."""
    parts = _parts(address)
    user, _, place = parts.netloc.rpartition("@")
    if not user:
        return address, {}
    token = base64.b64encode(unquote(user).encode()).decode()
    return urlunsplit(parts._replace(netloc=place)), {"Authorization": f"Basic {token}"}


def secrets_in(address: str) -> set[str]:
    """Return the parts of an address that may be secrets."""
    try:
        parts = _parts(address)
    except ValueError:
        return {address}
    user = parts.netloc.rpartition("@")[0]
    found = {user, *user.split(":", 1), parts.query, *(pair.partition("=")[2] for pair in parts.query.split("&"))}
    if problem(address, {*WEB, ""}) or "@" in parts.path:
        found.add(address.rpartition("://")[2])
    return {form for secret in found for form in (secret, unquote(secret)) if secret}


def _parts(address: str) -> SplitResult:
    # Without the slashes, urlsplit takes host:port for a scheme and a path.
    return urlsplit(address if "://" in address else f"//{address}")
