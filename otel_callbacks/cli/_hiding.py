"""What commands print has no secret of the set-up: people pass it on to others."""

import logging
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

from otel_callbacks._setup.addresses import secrets_in
from otel_callbacks.cli._terminal import show

_ENDPOINT = re.compile(r"OTEL_EXPORTER_OTLP(_[A-Z]+)?_ENDPOINT")
_HEADERS = re.compile(r"OTEL_EXPORTER_OTLP(_[A-Z]+)?_HEADERS")
_SHORTEST = 4
"""Characters of a secret that is looked for: shorter ones are parts of many words."""
_MARK = "***"


class Secrets:
    """The secrets of addresses and headers, wherever a text repeats them.

    Commands show addresses without secrets anyway. This is for texts that others make: messages of exceptions and
    exporters.

    Args:
        addresses: Addresses that options give; those in the variables, and the headers there, are added.
    """

    def __init__(self, *addresses: str | None) -> None:
        in_variables = [value for name, value in os.environ.items() if _ENDPOINT.fullmatch(name)]
        secrets = {secret for address in (*addresses, *in_variables) if address for secret in secrets_in(address)}
        for name, value in os.environ.items():
            if _HEADERS.fullmatch(name):
                secrets |= _secrets_of_headers(value)
        longest_first = sorted((one for one in secrets if len(one) >= _SHORTEST), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def hide(self, text: str) -> str:
        """Return a text with a mark in place of each secret."""
        return self._pattern.sub(_MARK, text)

    @contextmanager
    def hidden_in_logs(self) -> Iterator[None]:
        """Print what is logged, such as an exporter's reason to fail, without secrets."""
        handler, root = _Printer(self), logging.getLogger()
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)


class _Printer(logging.Handler):
    def __init__(self, secrets: Secrets) -> None:
        super().__init__(logging.WARNING)
        self._secrets = secrets

    def emit(self, record: logging.LogRecord) -> None:
        show(self._secrets.hide(record.getMessage()), sys.stderr)


def _secrets_of_headers(text: str) -> set[str]:
    values = {pair.partition("=")[2].strip() for pair in text.split(",")}
    values |= {unquote(value) for value in values}
    # Of "Bearer KEY", the key alone as well.
    return values | {value.split()[-1] for value in values if value.split()}
