"""What the demo's model answers: pure, and the same for the same request."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

TOOL_CALLS: Final = (
    ("order_status", {"order_id": "A-1042"}),
    ("refund_shipping", {"order_id": "A-1042", "amount": 4.9}),
)
"""Tools, if offered, are called in this order, one per turn; then comes the answer."""

ANSWERS: Final = (
    (
        "refund the shipping",
        "Order A-1042 is two days late. The refund desk is offline, so a colleague will refund you.",
    ),
    ("return policy", "You can return unused items within 30 days; the shipping label is in the parcel."),
    (
        "write a slogan",
        "Postcards that arrive before the holiday is over, wherever you are, whatever the weather does.",
    ),
    ("announce", "From Monday our lockers are open day and night. Order by noon and collect on the same evening."),
    ("check the facts", "Opening hours and the noon deadline agree with the shop's page. Nothing else is claimed."),
    ("check the tone", "Friendly and short. The second sentence could lead with the benefit."),
)
"""A phrase of the conversation, and the answer it gets."""

_UNSCRIPTED: Final = "I can help with orders, returns and announcements."
_CHARACTERS_PER_TOKEN: Final = 4
_DIMENSIONS: Final = 64


class Reply(NamedTuple):
    """The model's next message: text, or one tool call as (name, arguments)."""

    text: str = ""
    tool_call: tuple[str, Mapping[str, Any]] | None = None

    @property
    def finish_reason(self) -> str:
        """The API's word for why the message ended."""
        return "tool_calls" if self.tool_call else "stop"


def reply(request: Mapping[str, Any]) -> Reply:
    """Answer a chat request: the next scripted tool call if tools are left to call, else text."""
    messages = request["messages"]
    turn = sum(message["role"] == "tool" for message in messages)
    if request.get("tools") and turn < len(TOOL_CALLS):
        return Reply(tool_call=TOOL_CALLS[turn])
    conversation = " ".join(str(message.get("content")) for message in messages).lower()
    return Reply(text=next((answer for phrase, answer in ANSWERS if phrase in conversation), _UNSCRIPTED))


def usage(request: Mapping[str, Any], answer: Reply) -> dict[str, Any]:
    """Count the tokens of a chat request and its reply; a conversation's earlier turns come from the cache."""
    turns = sum(message["role"] == "assistant" for message in request["messages"])
    prompt = count_tokens(json.dumps([request["messages"], request.get("tools")]))
    completion = count_tokens(answer.text or json.dumps(answer.tool_call))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": prompt // 2 if turns else 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def count_tokens(text: str) -> int:
    """Estimate tokens, at least one."""
    return max(1, len(text) // _CHARACTERS_PER_TOKEN)


def embed(text: str) -> list[float]:
    """Embed a text as its counts of words by length and first letter, so that similar texts are close together."""
    vector = [0.0] * _DIMENSIONS
    for word in text.lower().split():
        vector[(len(word) * 26 + ord(word[0])) % _DIMENSIONS] += 1.0
    return vector


def texts_of(request: Mapping[str, Any]) -> Sequence[str]:
    """Return the texts of an embeddings request, which holds one or many."""
    texts: str | list[str] = request["input"]
    return [texts] if isinstance(texts, str) else texts
