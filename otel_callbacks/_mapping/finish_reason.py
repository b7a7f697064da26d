"""Why a model ended its answer: where the providers report it, and the convention's word for it."""

from typing import Any, Final

from otel_callbacks._mapping.reading import first_text, mapping

CUT_OFF: Final = ("length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded")
"""Providers' words, in lower case, for an answer that was cut off at a limit."""

_CONVENTION_WORDS = {
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
    """Return a choice's finish reason as the provider spells it, ``None`` if it reports none.

    ``generation_info`` comes before ``response_metadata``: chat models copy the former into the latter, where the
    message's own entries win, and text models have no message. An empty or non-text value counts as none.
    """
    info = mapping(getattr(generation, "generation_info", None))
    reason = first_text(info, _KEYS) if info else None
    if reason:
        return reason
    metadata = mapping(getattr(getattr(generation, "message", None), "response_metadata", None))
    # OpenAI's Responses API reports a status instead; only an incomplete answer has details, and they say more.
    return (
        first_text(metadata, _KEYS)
        or first_text(mapping(metadata.get("incomplete_details")), ("reason",))
        or first_text(metadata, ("status",))
    )


def convention_word(reason: str) -> str:
    """Return the GenAI convention's word for a finish reason; a reason it has no word for stays as the provider's."""
    return _CONVENTION_WORDS.get(reason.lower(), reason)
