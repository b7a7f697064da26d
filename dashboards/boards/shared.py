"""What the boards share: filters by their variables, the variables, links, texts of empty panels."""

from urllib.parse import quote

import queries as q
from panels import Json, datasource_variable, label_variable, text_variable

JOB = f'{q.JOB}=~"$job"'
MODEL = f'{JOB},{q.PROVIDER}=~"$provider",{q.MODEL}=~"$model"'
AGENT = f'{JOB},{q.AGENT}=~"$agent"'
JOB_ENDED, MODEL_ENDED, AGENT_ENDED = (f"{matchers},{q.ENDED}" for matchers in (JOB, MODEL, AGENT))

CALLS = q.MODEL_DURATION.part("count")
AGENT_RUNS = q.AGENT_DURATION.part("count")
WORKFLOW_RUNS = q.WORKFLOW_DURATION.part("count")

PER_MODEL = (q.SERVICE, q.PROVIDER, q.MODEL)
MODEL_KEYS = dict(zip(PER_MODEL, ("Service", "Provider", "Model"), strict=True))

NO_DURATION = "No finished run in this range"
NO_STREAM = "No streamed answer in this range"
NO_COST = "No priced call: needs the cost extra"
NO_ERROR = "No errors"

PROVIDER_VARIABLE = label_variable("provider", "Provider", CALLS.names(), q.PROVIDER, JOB)
MODEL_VARIABLE = label_variable("model", "Model", CALLS.names(), q.MODEL, JOB, f'{q.PROVIDER}=~"$provider"')
AGENT_VARIABLE = label_variable("agent", "Agent", AGENT_RUNS.names(), q.AGENT, JOB)


def variables(*more: Json) -> list[Json]:
    """Return data source and job, which every board has, its own variables, and the address of Jaeger for links."""
    names = [*CALLS.names(), *AGENT_RUNS.names(), *WORKFLOW_RUNS.names(), q.RUNS_OPEN]
    job = label_variable("job", "Job", sorted(set(names)), q.JOB)
    return [datasource_variable(), job, *more, text_variable("jaeger", "Jaeger", "http://localhost:16686")]


def jaeger_search(key: str) -> Json:
    """Link a table's row to Jaeger's search for spans with this attribute, in the board's time range."""
    service = f"${{__data.fields.{q.SERVICE}:percentencode}}"
    value = f"${{__data.fields.{q.label(key)}:percentencode}}"
    tags = quote('{"' + key + '":"') + value + quote('"}')
    times = "start=${__from}000&end=${__to}000&lookback=custom"
    return {
        "title": "Search these spans in Jaeger",
        "url": f"${{jaeger}}/search?service={service}&tags={tags}&{times}",
        "targetBlank": True,
    }
