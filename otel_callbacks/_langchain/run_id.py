"""Ids of runs. LangChain makes UUIDs, and passes on whatever an application gives it instead: mostly texts."""

import re
from hashlib import blake2b
from typing import Any
from uuid import UUID

_BYTES_OF_KEY = 16
_LENGTH_OF_UUID = 36
_PREFIXES_OF_MESSAGE_IDS = ("lc_run--", "run--", "run-")
_NUMBER_OF_ANSWER = re.compile(r"-\d+\Z", re.ASCII)
"""Follows the run's id in the id of a message that is one of several answers."""


class TextId(UUID):
    """Stands for an id that was given as something other than a UUID.

    Nothing tells when LangChain drops a text, so the life of this object says nothing about the run's.
    """

    __slots__ = ("others",)
    others: int
    """How many times the text was used again while the run is open."""

    def __init__(self, key: int) -> None:
        super().__init__(int=key)
        object.__setattr__(self, "others", 0)  # a UUID takes no other way

    def count_others(self, change: int) -> None:
        """Note that a run of the same text has started or ended."""
        object.__setattr__(self, "others", self.others + change)


def run_key(run_id: Any) -> int:
    """Return the integer of a run's id; of a text that is no UUID, one that only this text has."""
    key = getattr(run_id, "int", None)  # other packages have UUID classes of their own
    if type(key) is int:
        return key
    text = run_id if type(run_id) is str else str.__str__(run_id) if isinstance(run_id, str) else str(run_id)
    try:
        return UUID(text).int
    except ValueError:
        return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_BYTES_OF_KEY).digest(), "big")


def as_uuid(run_id: Any) -> UUID:
    """Return the id as a UUID: itself, or a `TextId`."""
    return run_id if isinstance(run_id, UUID) else TextId(run_key(run_id))


def possible_keys(run_id: UUID | str) -> list[int]:
    """Return the keys that an id may stand for, as a run's or as that of a message the run produced."""
    if not isinstance(run_id, str):
        return [run_key(run_id)]
    prefix = next((prefix for prefix in _PREFIXES_OF_MESSAGE_IDS if run_id.startswith(prefix)), "")
    inside = run_id.removeprefix(prefix)
    texts = (run_id, inside, _NUMBER_OF_ANSWER.sub("", inside), inside[:_LENGTH_OF_UUID])
    return [run_key(candidate) for candidate in dict.fromkeys(texts)]
