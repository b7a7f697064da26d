"""What commands print: whatever stands in a file or comes from a server, no control character reaches the terminal."""

import json
import sys
from typing import IO, Any

from otel_callbacks._drawing import printable


def show(text: str, file: IO[str] | None = None) -> None:
    """Print text of one or more lines with everything escaped that could move the cursor, hide or reorder text.

    Args:
        text: What to print; a line end in it ends a line.
        file: Where to. Default: standard output.
    """
    print("\n".join(map(printable, text.split("\n"))), file=sys.stdout if file is None else file, flush=True)


def show_json(document: Any) -> None:
    """Print one JSON document."""
    print(json_text(document))


def json_text(document: Any) -> str:
    """Return indented JSON in ASCII; DEL is the one control character that JSON itself does not escape."""
    return json.dumps(document, indent=2).replace("\x7f", "\\u007f")
