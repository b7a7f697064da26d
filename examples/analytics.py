"""Analytics over trace files with DuckDB: any question in SQL, without a server.

run: python examples/analytics.py      (needs: pip install 'otel-callbacks[files]' duckdb)
"""

import tempfile
from pathlib import Path

import duckdb
from langchain_core.language_models import FakeListChatModel
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from otel_callbacks import OTelCallbackHandler, files

folder = Path(tempfile.mkdtemp())
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(files.span_exporter(folder)))
handler = OTelCallbackHandler(tracer_provider=provider)
FakeListChatModel(responses=["Hello."]).batch(["Hi", "Ho", "Hu"], config={"callbacks": [handler]})
handler.flush()

SQL = f"""
with batches as (select unnest(resourceSpans) as r
                 from read_json('{folder}/traces*.jsonl', format='newline_delimited')),
     scopes as (select unnest(r.scopeSpans) as s from batches),
     spans as (select unnest(s.spans) as span from scopes)
select span.name as name, count(*) as runs,
       round(avg(span.endTimeUnixNano::bigint - span.startTimeUnixNano::bigint) / 1e6, 3) as mean_ms
from spans group by name order by runs desc
"""
for row in duckdb.sql(SQL).fetchall():
    print(*row)
