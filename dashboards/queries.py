"""PromQL over this package's metrics, in every dialect of the GenAI conventions at once.

Names come from `otel_callbacks.semconv`, translated as Prometheus' OTLP receiver does by default: dots become
underscores, the unit becomes a suffix, and a counter ends in ``_total``. A `Quantity` lists the series that hold the
same measurement in different dialects; a query reads ``A or B`` inside its aggregation, so that programs with different
dialects add up and one that sends both names counts once.
"""

from dataclasses import dataclass, replace

from otel_callbacks import semconv
from otel_callbacks.semconv import DIALECTS, Instrument

_DEFAULT = DIALECTS[semconv.DEFAULT_DIALECT]
_LATEST = DIALECTS[semconv.LATEST_DIALECT]
_UNIT_SUFFIXES = {"s": "_seconds", "USD": "_USD"}
_GAUGES = {semconv.RUNS_OPEN}

RATE_INTERVAL = "$__rate_interval"
RANGE = "$__range"


def label(key: str) -> str:
    """Return the Prometheus label of an attribute key."""
    return key.replace(".", "_")


def series(instrument: Instrument) -> str:
    """Return the Prometheus name of an instrument; a histogram's without ``_bucket``, ``_sum`` or ``_count``."""
    name = label(instrument.name) + _UNIT_SUFFIXES.get(instrument.unit, "")
    counter = instrument.buckets is None and instrument not in _GAUGES
    return f"{name}_total" if counter else name


JOB = "job"
SERVICE = "service_name"
OPERATION = label(semconv.OPERATION_NAME)
PROVIDER = label(semconv.PROVIDER_NAME)
MODEL = label(semconv.REQUEST_MODEL)
AGENT = label(semconv.AGENT_NAME)
TOOL = label(semconv.TOOL_NAME)
NODE = label(semconv.GRAPH_NODE)
NODES_WORKFLOW = label(semconv.WORKFLOW)
RETRIEVER = label(semconv.RETRIEVER_NAME)
WORKFLOW = label(_DEFAULT.workflow_name)
ERROR_TYPE = label(semconv.ERROR_TYPE)
ERROR_KIND = label(semconv.ERROR_KIND)
OUTCOME = label(semconv.OUTCOME)
RUN_TYPE = label(semconv.RUN_TYPE)
FINISH_REASON = label(semconv.FINISH_REASON)
DISCREPANCY_KIND = label(semconv.DISCREPANCY_KIND)
REDACTION_RULE = label(semconv.REDACTION_RULE)
TOKEN_TYPE = label(semconv.TOKEN_TYPE)

FAILED = f'{ERROR_TYPE}!=""'
ENDED = f'{OUTCOME}=""'
"""Neither cancelled nor interrupted nor abandoned: the runs that a latency should be judged by."""


@dataclass(frozen=True)
class Selector:
    """One series with its matchers, and the label to rename so that dialects agree (old name, new name)."""

    series: str
    matchers: str = ""
    rename: tuple[str, str] | None = None

    def over(self, function: str, matchers: str, window: str) -> str:
        """Return ``function(series{matchers}[window])``."""
        conditions = ",".join(part for part in (self.matchers, matchers) if part)
        braces = f"{{{conditions}}}" if conditions else ""
        expression = f"{function}({self.series}{braces}[{window}])"
        if self.rename is None:
            return expression
        old, new = self.rename
        return f'label_replace({expression}, "{new}", "$1", "{old}", "(.*)")'


@dataclass(frozen=True)
class Quantity:
    """A measurement under each of its names."""

    selectors: tuple[Selector, ...]

    def part(self, suffix: str) -> "Quantity":
        """Return the ``bucket``, ``sum`` or ``count`` of a histogram."""
        return Quantity(tuple(replace(one, series=f"{one.series}_{suffix}") for one in self.selectors))

    def over(self, function: str, matchers: str, window: str) -> str:
        """Return a range function over all names, joined with ``or``."""
        return " or ".join(one.over(function, matchers, window) for one in self.selectors)

    def names(self) -> list[str]:
        """Return the names of the series, for a query that lists label values."""
        return [one.series for one in self.selectors]


def quantity(*instruments: Instrument) -> Quantity:
    """Return a measurement that has the same labels under each name."""
    return Quantity(tuple(Selector(series(one)) for one in dict.fromkeys(instruments)))


def _required(instrument: Instrument | None) -> Instrument:
    if instrument is None:
        raise ValueError("this dialect has no such metric")
    return instrument


_MODEL_OPERATIONS = f'{OPERATION}=~"{semconv.CHAT}|{semconv.TEXT_COMPLETION}|generate_content"'
_IS_WORKFLOW = f'{OPERATION}="{semconv.INVOKE_WORKFLOW}"'
_TOKEN_USAGE = f"{series(_required(_DEFAULT.token_usage))}_sum"

MODEL_DURATION = Quantity(
    (
        Selector(series(_DEFAULT.inference_duration), _MODEL_OPERATIONS),
        Selector(series(_LATEST.inference_duration)),
    )
)
_IS_RETRIEVAL = f'{OPERATION}="{semconv.RETRIEVAL}",{label(semconv.RETRIEVER_INNER)}=""'
RETRIEVAL_DURATION = Quantity((Selector(series(semconv.OPERATION_DURATION), _IS_RETRIEVAL),))
"""Of the application's own retrievals, without those that a retriever makes inside its own."""
FIRST_CHUNK = quantity(_DEFAULT.time_to_first_chunk, _LATEST.time_to_first_chunk)
PER_CHUNK = quantity(_DEFAULT.time_per_output_chunk, _LATEST.time_per_output_chunk)
TOOL_DURATION = quantity(semconv.TOOL_DURATION)
UNANSWERED_TOOL_CALLS = quantity(semconv.TOOL_CALLS_UNANSWERED)
NODE_DURATION = quantity(semconv.STEP_DURATION)
AGENT_DURATION = Quantity((Selector(series(semconv.AGENT_DURATION), _IS_WORKFLOW.replace("=", "!=", 1)),))
WORKFLOW_DURATION = Quantity(
    (
        Selector(series(_DEFAULT.workflow_duration)),
        Selector(series(_LATEST.workflow_duration), _IS_WORKFLOW, rename=(AGENT, WORKFLOW)),
    )
)
AGENT_MODEL_CALLS = quantity(semconv.AGENT_INFERENCE_CALLS)
AGENT_TOOL_CALLS = quantity(semconv.AGENT_TOOL_CALLS)
INPUT_TOKENS = Quantity(
    (
        Selector(_TOKEN_USAGE, f'{TOKEN_TYPE}="input"'),
        Selector(series(_LATEST.usage_counters[semconv.USAGE_INPUT])),
    )
)
OUTPUT_TOKENS = Quantity(
    (
        Selector(_TOKEN_USAGE, f'{TOKEN_TYPE}="output"'),
        Selector(series(_LATEST.usage_counters[semconv.USAGE_OUTPUT])),
    )
)
PROMPT_SIZE = Quantity(
    (
        Selector(series(_required(_DEFAULT.token_usage)), f'{TOKEN_TYPE}="input"'),
        Selector(series(_required(_LATEST.input_tokens))),
    )
)
CACHED_TOKENS = quantity(_LATEST.usage_counters[semconv.USAGE_CACHE_READ])
COST = quantity(semconv.COST)
UNPRICED = quantity(semconv.UNPRICED)
USAGE_MISSING = quantity(semconv.USAGE_MISSING)
FINISH_REASONS = quantity(semconv.FINISH_REASONS)
ERRORS = quantity(semconv.ERRORS)
DISCREPANCIES = quantity(semconv.DISCREPANCIES)
REDACTIONS = quantity(semconv.REDACTIONS)
RUNS = quantity(semconv.RUNS)
RUNS_OPEN = series(semconv.RUNS_OPEN)


def by(*labels: str) -> str:
    """Return the grouping clause of an aggregation."""
    return f" by ({', '.join(labels)})" if labels else ""


def rate(what: Quantity, matchers: str = "", *labels: str, window: str = RATE_INTERVAL) -> str:
    """Return the sum of the rates per second."""
    return f"sum{by(*labels)} ({what.over('rate', matchers, window)})"


def increase(what: Quantity, matchers: str = "", *labels: str, window: str = RANGE) -> str:
    """Return the sum of what was added in the window."""
    return f"sum{by(*labels)} ({what.over('increase', matchers, window)})"


def quantile(q: float, what: Quantity, matchers: str = "", *labels: str, window: str = RATE_INTERVAL) -> str:
    """Return a quantile of a histogram with explicit buckets."""
    return f"histogram_quantile({q}, {rate(what.part('bucket'), matchers, 'le', *labels, window=window)})"


def mean(what: Quantity, matchers: str = "", *labels: str, window: str = RATE_INTERVAL) -> str:
    """Return the mean of a histogram."""
    total, count = (rate(what.part(suffix), matchers, *labels, window=window) for suffix in ("sum", "count"))
    return f"{total} / {count}"


def rate_or_zero(what: Quantity, condition: str, matchers: str = "", *labels: str, window: str = RATE_INTERVAL) -> str:
    """Return the rate per second of those that meet the condition; 0, not nothing, if only others exist."""
    matching = rate(what, ",".join(part for part in (matchers, condition) if part), *labels, window=window)
    return f"{matching} or 0 * {rate(what, matchers, *labels, window=window)}"


def share(what: Quantity, condition: str, matchers: str = "", *labels: str, window: str = RATE_INTERVAL) -> str:
    """Return the share, 0 to 1, of those that meet the condition; nothing if there are none at all."""
    matching = rate_or_zero(what, condition, matchers, *labels, window=window)
    return f"({matching}) / ({rate(what, matchers, *labels, window=window)} > 0)"
