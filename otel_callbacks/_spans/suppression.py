"""Keeps the GenAI instrumentations of providers' clients silent inside model runs, whose spans say the same.

Such instrumentations look for a mark in the OpenTelemetry context. Ours is evaluated whenever it is read: it is true
inside a model run's body. So it never has to be removed, and a copy of the context that outlives the run does no harm.
"""

import sys
from typing import Any

from opentelemetry import context as context_api

from otel_callbacks._spans.current import executing_body

_LANGUAGE_MODEL = "suppress_language_model_instrumentation"
"""What OpenLLMetry's instrumentations look for: any value that is true."""
_INFERENCE = "opentelemetry.genai.client.inference.context"
"""What instrumentations built on ``opentelemetry-util-genai`` look for: an `InferenceData` of `_UTIL_GENAI`."""
_UTIL_GENAI = "opentelemetry.util.genai.invocation"


class InferenceMark:
    """True, and an ``InferenceData`` to ``isinstance``, where the innermost run around the caller is a model's.

    Args:
        key: The context key of the run's table.
    """

    capture_content = False
    upload_completion = False

    def __init__(self, key: str) -> None:
        self._key = key

    def __bool__(self) -> bool:
        body = executing_body(context_api.get_current(), self._key)
        return body is not None and body.is_model

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """The class that ``isinstance`` sees. Where util-genai is not loaded, nothing asks for it."""
        data = getattr(sys.modules.get(_UTIL_GENAI), "InferenceData", None)
        return data if data is not None and self else InferenceMark

    def merge(self, other: Any, *, overwrite: bool = True) -> None:
        """Ignore what the silent instrumentation found out: the model run knows it already."""


def marks(key: str) -> dict[str, Any]:
    """Return the entries for the context of a model run's body. `key`: the context key of the run's table."""
    mark = InferenceMark(key)
    return {_LANGUAGE_MODEL: mark, _INFERENCE: mark}
