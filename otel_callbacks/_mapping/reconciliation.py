"""Makes the token counts of one call agree with each other, or says that they do not."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from otel_callbacks import semconv
from otel_callbacks._mapping.records import Usage

TOTAL: Final = "total"
WRITTEN_FOR_MINUTES: Final = "written for five minutes"
WRITTEN_FOR_AN_HOUR: Final = "written for an hour"

_CACHED = (semconv.USAGE_CACHE_READ, semconv.USAGE_CACHE_WRITE)
_READ = (semconv.USAGE_CACHE_READ,)
_WRITTEN = (semconv.USAGE_CACHE_WRITE,)
_REASONED = (semconv.USAGE_REASONING,)
_MODALITIES = (
    *((key, semconv.USAGE_INPUT) for key in semconv.USAGE_INPUT_BY_MODALITY.values()),
    *((key, semconv.USAGE_OUTPUT) for key in semconv.USAGE_OUTPUT_BY_MODALITY.values()),
)
_WHOLES = frozenset({semconv.USAGE_INPUT, semconv.USAGE_OUTPUT})
_PARTS = (
    (semconv.USAGE_CACHE_READ, semconv.USAGE_INPUT),
    (semconv.USAGE_CACHE_WRITE, semconv.USAGE_INPUT),
    (semconv.USAGE_REASONING, semconv.USAGE_OUTPUT),
    *_MODALITIES,
)
"""Each part and the count that it is a part of."""


class _Rule(NamedTuple):
    """One way in which a package counts: the parts that each of its sums leaves out."""

    input_lacks: tuple[str, ...] = ()
    output_lacks: tuple[str, ...] = ()
    total_lacks: tuple[str, ...] = ()


_RULES = (
    _Rule(),  # as LangChain defines it: nearly all
    _Rule(output_lacks=_REASONED),  # ChatVertexAI, xAI
    _Rule(input_lacks=_CACHED),  # ChatBedrockConverse of langchain-aws 1.0 to 1.2, Anthropic's own form
    _Rule(input_lacks=_READ),
    _Rule(input_lacks=_WRITTEN),
    _Rule(input_lacks=_CACHED, total_lacks=_WRITTEN),  # ChatBedrock of langchain-aws 1.0
    _Rule(input_lacks=_CACHED, output_lacks=_REASONED),
    _Rule(input_lacks=_READ, output_lacks=_REASONED),
    _Rule(input_lacks=_WRITTEN, output_lacks=_REASONED),
)
"""Tried in this order. A rule holds if with it no part exceeds its sum, and input and output make up the total."""


def reconcile(reported: Mapping[str, Any], service_tier: str | None = None) -> Usage | None:
    """Return the counts that follow from what was reported; ``None`` if nothing was.

    Afterwards no part exceeds the count it is a part of, and input and output make up a reported total, unless the
    usage is marked as a discrepancy: then the provider's figures stand as they are, without impossible parts.

    Args:
        reported: Values of any type by ``gen_ai.usage.*`` attribute, or under `TOTAL`, `WRITTEN_FOR_MINUTES` and
            `WRITTEN_FOR_AN_HOUR`, which are parts of the cache write. ``None`` stands for an absent one.
        service_tier: The tier that the provider served the call in, if it says so.
    """
    # Plain loops and few calls: this runs for every model call.
    counts: dict[str, int] = {}
    is_discrepancy = False
    for key, value in reported.items():
        if type(value) is int and 0 <= value <= _LARGEST:
            counts[key] = value
        elif value is not None:
            is_discrepancy = True
    total = counts.pop(TOTAL, 0) or None
    _drop_impossible_zeros(counts)
    if not any(counts.values()):
        return Usage({}, is_discrepancy=True) if is_discrepancy else None
    hour, is_ambiguous = _settle_cache_write(counts)
    holds = _complete(counts, total)
    fits = counts.keys() <= _WHOLES or _drop_impossible_parts(counts)
    return Usage(
        counts,
        written_for_an_hour=min(hour, counts.get(semconv.USAGE_CACHE_WRITE, 0)),
        service_tier=service_tier,
        is_discrepancy=is_discrepancy or is_ambiguous or not holds or not fits,
    )


def _drop_impossible_zeros(counts: dict[str, int]) -> None:
    """Leave out zeros that say that a package had nothing to report: every call has input."""
    if not counts.get(semconv.USAGE_INPUT):
        counts.pop(semconv.USAGE_INPUT, None)
        if counts.get(semconv.USAGE_OUTPUT) == 0:
            del counts[semconv.USAGE_OUTPUT]


def _settle_cache_write(counts: dict[str, int]) -> tuple[int, bool]:
    """Put one count of tokens written to a cache. Return those written for an hour, and whether the counts conflict.

    langchain-anthropic 0.3.22 to 1.3.4 reports the same tokens as a sum and by lifetime; later ones put 0 for the sum.
    """
    if WRITTEN_FOR_MINUTES not in counts and WRITTEN_FOR_AN_HOUR not in counts:
        return 0, False
    minutes, hour = counts.pop(WRITTEN_FOR_MINUTES, 0), counts.pop(WRITTEN_FOR_AN_HOUR, 0)
    written = counts.get(semconv.USAGE_CACHE_WRITE, 0)
    if minutes + hour:
        counts[semconv.USAGE_CACHE_WRITE] = max(written, minutes + hour)
    return hour, 0 < written < minutes + hour


def _complete(counts: dict[str, int], total: int | None) -> bool:
    """Complete input and output by the first rule that holds. Return whether one does."""
    if semconv.USAGE_INPUT in counts and semconv.USAGE_OUTPUT in counts and _adds_up(counts, total):
        return True  # the first rule, which completes nothing
    for rule in _RULES:
        completed = {**counts}
        for key, lacks in ((semconv.USAGE_INPUT, rule.input_lacks), (semconv.USAGE_OUTPUT, rule.output_lacks)):
            if key in counts:
                completed[key] += _sum(counts, lacks)
        whole = None if total is None else total + _sum(counts, rule.total_lacks)
        _complete_from_total(completed, whole)
        if _adds_up(completed, whole):
            counts.update(completed)
            return True
    return False


def _complete_from_total(counts: dict[str, int], total: int | None) -> None:
    """Put the one of input and output that was not reported, if a total was."""
    for missing, other in (
        (semconv.USAGE_INPUT, semconv.USAGE_OUTPUT),
        (semconv.USAGE_OUTPUT, semconv.USAGE_INPUT),
    ):
        if total is not None and missing not in counts and counts.get(other, total) < total:
            counts[missing] = total - counts[other]


def _adds_up(counts: Mapping[str, int], total: int | None) -> bool:
    inputs, outputs = counts.get(semconv.USAGE_INPUT), counts.get(semconv.USAGE_OUTPUT)
    cached = counts.get(semconv.USAGE_CACHE_READ, 0) + counts.get(semconv.USAGE_CACHE_WRITE, 0)
    if inputs is not None and not cached <= inputs <= _LARGEST:
        return False
    if outputs is not None and not counts.get(semconv.USAGE_REASONING, 0) <= outputs <= _LARGEST:
        return False
    return total is None or inputs is None or outputs is None or inputs + outputs == total


def _drop_impossible_parts(counts: dict[str, int]) -> bool:
    """Leave out parts that exceed their count. Return whether there were none."""
    impossible = [part for part, whole in _PARTS if counts.get(part, 0) > counts.get(whole, _LARGEST)]
    for part in impossible:
        del counts[part]
    for part, _ in _MODALITIES:  # OpenAI reports 0 audio tokens for calls without audio
        if counts.get(part) == 0:
            del counts[part]
    return not impossible


_LARGEST: Final = 2**63 - 1
"""What an attribute can hold."""


def _sum(counts: Mapping[str, int], parts: tuple[str, ...]) -> int:
    return sum(counts.get(part, 0) for part in parts)
