"""Durations as options take them: ``500ms``, ``3s``, ``5m``, ``2h``, ``7d``; without a unit, seconds."""

import re
from typing import Final

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds_of(text: str, *units: str) -> float | None:
    """Return the seconds that a text stands for, ``None`` if it is not a duration.

    Args:
        text: What the user wrote.
        units: Units that the option takes, of "ms", "s", "m", "h" and "d". Default: all.
    """
    match = re.fullmatch(rf"(\d+(?:\.\d+)?)({'|'.join(units or _SECONDS)})?", text.strip())
    return float(match[1]) * _SECONDS[match[2] or "s"] if match else None
