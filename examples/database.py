"""Runs in a database: a subscriber writes one row per run; SQL answers which model is slow.

run: python examples/database.py [FILE]
"""

import sqlite3
import sys

from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider

from otel_callbacks import OTelCallbackHandler, RunSummary

database = sqlite3.connect(sys.argv[1] if len(sys.argv) > 1 else ":memory:", check_same_thread=False)
database.execute("create table if not exists runs (trace, span, name, operation, outcome, seconds real, tokens int)")


def write(run: RunSummary) -> None:
    """Write one row; a busy app would put it on a queue instead."""
    tokens = sum(run.usage.get(f"gen_ai.usage.{kind}_tokens", 0) for kind in ("input", "output"))
    row = (run.trace_id, run.span_id, run.span_name, run.operation, run.outcome, run.duration_s, tokens)
    with database:
        database.execute("insert into runs values (?, ?, ?, ?, ?, ?, ?)", row)


handler = OTelCallbackHandler(tracer_provider=TracerProvider())
handler.subscribe(write)
for _ in range(3):
    FakeListChatModel(responses=["Hello."]).invoke("Hi", config={"callbacks": [handler]})
for row in database.execute("select name, outcome, count(*), round(avg(seconds), 4) from runs group by 1, 2"):
    print(*row)
