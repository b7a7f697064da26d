"""Monitoring and notification: a subscriber that reports failed and slow runs, at most once a minute for each kind.

run: python examples/monitoring.py
"""

import time

from langchain_core.runnables import RunnableLambda
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler, RunSummary

LONGEST_S = 5.0
QUIET_S = 60.0
_last: dict[str, float] = {}


def notify(text: str) -> None:
    """Notify someone: by pager, chat or mail in an app, on the terminal here."""
    print("ALERT", text)


def watch(run: RunSummary) -> None:
    """Decide, and hand over: this is called inline after each span, so it must be fast."""
    if run.outcome == "error":
        kind = f"{run.span_name}: {run.error_type}"
    elif run.duration_s > LONGEST_S:
        kind = f"{run.span_name}: slower than {LONGEST_S:.0f} s"
    else:
        return
    if time.monotonic() - _last.get(kind, -QUIET_S) >= QUIET_S:
        _last[kind] = time.monotonic()
        notify(f"{kind} (trace {run.trace_id})")


handler = OTelCallbackHandler(tracer_provider=TracerProvider())
handler.subscribe(watch)


def fail(_: str) -> str:
    """Fail, as a step that times out."""
    raise TimeoutError


for _ in range(3):
    try:
        RunnableLambda(fail, name="look up").invoke("x", config={"callbacks": [handler]})
    except TimeoutError:
        print("the app handles it")
