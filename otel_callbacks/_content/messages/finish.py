"""Why a model ended its answer, in the words of the GenAI conventions."""

from collections.abc import Mapping
from typing import Any, Final

CUT_OFF: Final = ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded")
"""How providers say that an answer reached a limit before its end, in small letters."""

_REASONS = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "completed", "complete", "eos", "eos_token"), "stop"),
    **dict.fromkeys(CUT_OFF, "length"),
    **dict.fromkeys(("tool_call", "tool_calls", "tool_use", "function_call"), "tool_call"),
    **dict.fromkeys(
        (
            "content_filter", "content_filtered", "refusal", "safety", "recitation", "blocklist", "prohibited_content",
            "guardrail_intervened",
        ),
        "content_filter",
    ),
}  # fmt: skip
_KEYS = ("finish_reason", "stop_reason", "stopReason", "done_reason")


def finish_reason(generation: Any) -> str | None:
    """A choice's finish reason, ``None`` where the provider gave none. Unknown reasons keep the provider's word."""
    reason = _reported(generation)
    return _REASONS.get(reason.lower(), reason) if reason else None


def _reported(generation: Any) -> str | None:
    info = getattr(generation, "generation_info", None)
    metadata = getattr(getattr(generation, "message", None), "response_metadata", None)
    places = [place for place in (info, metadata) if isinstance(place, Mapping)]
    reasons = [place.get(key) for place in places for key in _KEYS]
    if isinstance(metadata, Mapping):  # OpenAI's Responses API has a status, and details if that is "incomplete"
        details = metadata.get("incomplete_details")
        reasons += [details.get("reason") if isinstance(details, Mapping) else None, metadata.get("status")]
    return next((reason for reason in reasons if isinstance(reason, str) and reason), None)
