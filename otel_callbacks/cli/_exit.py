"""Exit codes of all commands, and the one exception that ends a command with a message instead of a traceback."""

from typing import Final

GOOD: Final = 0
FINDING: Final = 1
"""The command worked and found something wrong."""
USAGE: Final = 2
"""The command was used wrongly."""
INTERRUPTED: Final = 130
"""Ctrl-C, as shells count it: 128 + SIGINT."""
BROKEN_PIPE: Final = 141
"""The reader of the output is gone, as shells count it: 128 + SIGPIPE."""


class Stop(Exception):  # noqa: N818
    """Ends a command with one line on standard error.

    Args:
        message: What is wrong and what to do about it.
        code: Exit code.
    """

    def __init__(self, message: str, code: int = USAGE) -> None:
        super().__init__(message)
        self.code = code
