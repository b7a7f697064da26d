"""Every attribute key, metric name and event name that this package emits, in one place.

Names under ``gen_ai.``, ``server.``, ``error.`` and ``openai.`` follow the OpenTelemetry GenAI semantic
conventions; names under ``langchain.``, ``langgraph.`` and ``otel_callbacks.`` are our own. What differs between
releases of the conventions stands in one `Dialect` per release. No other module spells a key or a name.
"""

from typing import Final, NamedTuple

# Identity of the operation
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
AGENT_NAME: Final = "gen_ai.agent.name"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"

# Request
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
REQUEST_TOP_P: Final = "gen_ai.request.top_p"
REQUEST_TOP_K: Final = "gen_ai.request.top_k"
REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
REQUEST_SEED: Final = "gen_ai.request.seed"
REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
REQUEST_STREAM: Final = "gen_ai.request.stream"
REQUEST_REASONING_LEVEL: Final = "gen_ai.request.reasoning.level"
REQUEST_PREVIOUS_RESPONSE_ID: Final = "gen_ai.request.previous_response.id"
OUTPUT_TYPE: Final = "gen_ai.output.type"

# Response
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"

# Usage, in tokens
USAGE_INPUT: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING: Final = "gen_ai.usage.reasoning.output_tokens"
MODALITIES: Final = ("text", "image", "audio")
USAGE_INPUT_BY_MODALITY: Final = {m: f"gen_ai.usage.{m}.input_tokens" for m in MODALITIES}
USAGE_OUTPUT_BY_MODALITY: Final = {m: f"gen_ai.usage.{m}.output_tokens" for m in MODALITIES}
TOKEN_TYPE: Final = "gen_ai.token.type"
TOKEN_MODALITY: Final = "gen_ai.token.modality"

# Tools and retrieval
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_TYPE: Final = "gen_ai.tool.type"
TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
RETRIEVAL_QUERY_TEXT: Final = "gen_ai.retrieval.query.text"
RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"

# Embeddings
EMBEDDINGS_DIMENSION: Final = "gen_ai.embeddings.dimension.count"
EMBEDDINGS_TEXT_COUNT: Final = "langchain.embeddings.text_count"

# Evaluation
EVENT_EVALUATION: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE: Final = "gen_ai.evaluation.score.value"
EVALUATION_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

# Content
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"

# Operations
CHAT: Final = "chat"
TEXT_COMPLETION: Final = "text_completion"
EXECUTE_TOOL: Final = "execute_tool"
RETRIEVAL: Final = "retrieval"
EMBEDDINGS: Final = "embeddings"
INVOKE_AGENT: Final = "invoke_agent"
INVOKE_WORKFLOW: Final = "invoke_workflow"

# Events
EVENT_EXCEPTION: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
HTTP_STATUS_CODE: Final = "http.response.status_code"
EVENT_INFERENCE_DETAILS: Final = "gen_ai.client.inference.operation.details"
EVENT_INTERRUPT: Final = "interrupt"
EVENT_CUSTOM: Final = "langchain.custom_event"
CUSTOM_EVENT_NAME: Final = "langchain.custom_event.name"
CUSTOM_EVENT_SIZE: Final = "langchain.custom_event.size"
CUSTOM_EVENT_DATA: Final = "langchain.custom_event.data"

# Our own attributes: LangChain and LangGraph structure
RUN_TYPE: Final = "langchain.run_type"
RUN_NAME: Final = "langchain.run.name"
TAGS: Final = "langchain.tags"
METADATA_PREFIX: Final = "langchain.metadata."
RETRY_ATTEMPT: Final = "langchain.retry.attempt"
RETRY_COUNT: Final = "langchain.retry.count"
OUTPUT_SCHEMA: Final = "langchain.output_schema"
"""The schema of `with_structured_output`; content, like definitions of tools."""
RUN_INPUT: Final = "langchain.run.input"
RUN_OUTPUT: Final = "langchain.run.output"
RETRIEVER_NAME: Final = "otel_callbacks.retriever.name"
RETRIEVER_INNER: Final = "otel_callbacks.retriever.inner"
RETRIEVER_DOCUMENT_COUNT: Final = "langchain.retriever.document_count"
RETRIEVER_VECTOR_STORE: Final = "langchain.retriever.vector_store"
RETRIEVER_EMBEDDING: Final = "langchain.retriever.embedding"
GRAPH_NODE: Final = "langgraph.node"
GRAPH_STEP: Final = "langgraph.step"
GRAPH_INTERRUPT_IDS: Final = "langgraph.interrupt.ids"
GRAPH_INTERRUPT_VALUES: Final = "langgraph.interrupt.values"
GRAPH_CHECKPOINT_ID: Final = "langgraph.checkpoint.id"
GRAPH_HANDOFF_TARGET: Final = "langgraph.handoff.target"

# Our own attributes: what the tracer adds
OUTCOME: Final = "otel_callbacks.outcome"
WORKFLOW: Final = "otel_callbacks.workflow"
CACHE_HIT: Final = "otel_callbacks.cache_hit"
STREAM_PARTIAL_LENGTH: Final = "otel_callbacks.stream.partial_length"
FINISH_REASON: Final = "otel_callbacks.finish_reason"
ERROR_KIND: Final = "otel_callbacks.error.kind"
DISCREPANCY_KIND: Final = "otel_callbacks.discrepancy.kind"
REDACTION_RULE: Final = "otel_callbacks.redaction.rule"
LINK_KIND: Final = "otel_callbacks.link.kind"
COST_USD: Final = "otel_callbacks.cost.usd"
COST_SOURCE: Final = "otel_callbacks.cost.source"
"""Where a cost comes from: "configured", "billed", "gateway" or "list"."""
TIME_TO_FIRST_VISIBLE_CHUNK: Final = "otel_callbacks.time_to_first_visible_chunk"
"""Seconds to the first chunk that is more than reasoning, where that is not the first one."""
COST_TOTAL_USD: Final = "otel_callbacks.cost.total_usd"
"""Cost of all model calls below an agent or workflow; under a key of its own, so that sums over spans are right."""

# Values
USAGE_PREFIX: Final = "gen_ai.usage."
"""Prefix of all token counts."""
CONVENTION_PREFIXES: Final = ("gen_ai.", "server.", "error.", "openai.")
"""Prefixes of the keys that log events may carry: the conventions', not our own."""
OTHER: Final = "_OTHER"
TOOL_ERROR: Final = "tool_error"
"""`error.type` of a tool that answered with an error message instead of raising."""
TOOL_NOT_FOUND: Final = "tool_not_found"
"""`error.type` of a call for a tool that does not exist."""
OUTPUT_TYPE_JSON: Final = "json"
OUTPUT_TYPE_TEXT: Final = "text"
UNKNOWN_PROVIDER: Final = "unknown"


class Instrument(NamedTuple):
    """A metric: its name, unit (UCUM), description, and histogram bucket boundaries (``None``: a counter)."""

    name: str
    unit: str
    description: str
    buckets: tuple[float, ...] | None = None


_DURATION_BUCKETS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
_TOKEN_BUCKETS: Final = tuple(float(4**n) for n in range(14))
_AGENT_BUCKETS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6)
_WORKFLOW_BUCKETS: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
_CALL_BUCKETS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

# Metrics that all dialects share
OPERATION_DURATION: Final = Instrument(
    "gen_ai.client.operation.duration", "s", "Duration of a GenAI operation.", _DURATION_BUCKETS
)
TOOL_DURATION: Final = Instrument(
    "gen_ai.execute_tool.duration", "s", "Duration of a tool execution.", _DURATION_BUCKETS
)
AGENT_DURATION: Final = Instrument(
    "gen_ai.invoke_agent.duration", "s", "Duration of an agent invocation.", _AGENT_BUCKETS
)
AGENT_INFERENCE_CALLS: Final = Instrument(
    "gen_ai.invoke_agent.inference_calls", "{inference_call}", "Model calls an agent run made itself.", _CALL_BUCKETS
)
AGENT_TOOL_CALLS: Final = Instrument(
    "gen_ai.invoke_agent.tool_calls", "{tool_call}", "Tool calls an agent run made itself.", _CALL_BUCKETS
)
FIRST_VISIBLE_CHUNK: Final = Instrument(
    "otel_callbacks.time_to_first_visible_chunk",
    "s",
    "Time to the first chunk that is more than reasoning, of calls that begin with reasoning.",
    _DURATION_BUCKETS,
)
STEP_DURATION: Final = Instrument(
    "otel_callbacks.step.duration", "s", "Duration of a LangGraph node or task.", _DURATION_BUCKETS
)
TOOL_CALLS_UNANSWERED: Final = Instrument(
    "otel_callbacks.tool_calls.unanswered", "{tool_call}", "Tool calls of a model that no tool answered."
)
FINISH_REASONS: Final = Instrument(
    "otel_callbacks.finish_reasons", "{choice}", "Model answers by the reason why they ended."
)
USAGE_MISSING: Final = Instrument(
    "otel_callbacks.usage_missing", "{call}", "Successful model calls that reported no input or no output tokens."
)
REDACTIONS: Final = Instrument("otel_callbacks.redactions", "{redaction}", "Redacted values, by rule.")
TOKENS: Final = Instrument("otel_callbacks.tokens", "{token}", "Input and output tokens used, by agent.")
COST: Final = Instrument("otel_callbacks.cost", "USD", "Cost of model calls, by the source of the figure.")
UNPRICED: Final = Instrument("otel_callbacks.unpriced", "{call}", "Model calls for which no price is known.")
ERRORS: Final = Instrument("otel_callbacks.errors", "{error}", "Failures inside the tracer, by kind.")
DISCREPANCIES: Final = Instrument(
    "otel_callbacks.discrepancies", "{discrepancy}", "Reports that contradict each other, by kind."
)
RUNS: Final = Instrument("otel_callbacks.runs", "{run}", "Ended runs, by run type and outcome.")
RUNS_OPEN: Final = Instrument("otel_callbacks.runs.open", "{run}", "Runs that have started and not ended.")


class Dialect(NamedTuple):
    """The names one release of the GenAI conventions uses where releases differ."""

    name: str
    schema_url: str | None
    inference_duration: Instrument
    time_to_first_chunk: Instrument
    time_per_output_chunk: Instrument
    workflow_duration: Instrument
    workflow_name: str
    token_usage: Instrument | None
    """One histogram with `gen_ai.token.type`, or ``None`` where `usage_counters` and the two histograms replace it."""
    input_tokens: Instrument | None
    output_tokens: Instrument | None
    usage_counters: dict[str, Instrument]
    """Span attribute of a usage count -> its counter; empty where `token_usage` is used."""
    duration_has_operation: frozenset[str]
    """Operations whose own duration metric also carries `gen_ai.operation.name`."""


def _usage_counter(name: str, description: str) -> Instrument:
    return Instrument(f"gen_ai.client.inference.usage.{name}", "{token}", description)


_PY_1_3: Final = Dialect(
    name="py-1.3",
    schema_url="https://opentelemetry.io/schemas/1.37.0",
    inference_duration=OPERATION_DURATION,
    time_to_first_chunk=Instrument(
        "gen_ai.client.operation.time_to_first_chunk", "s", "Time to the first chunk with content.", _DURATION_BUCKETS
    ),
    time_per_output_chunk=Instrument(
        "gen_ai.client.operation.time_per_output_chunk", "s", "Time between chunks after the first.", _DURATION_BUCKETS
    ),
    workflow_duration=Instrument(
        "gen_ai.invoke_workflow.duration", "s", "Duration of a workflow invocation.", _WORKFLOW_BUCKETS
    ),
    workflow_name=WORKFLOW_NAME,
    token_usage=Instrument("gen_ai.client.token.usage", "{token}", "Input and output tokens used.", _TOKEN_BUCKETS),
    input_tokens=None,
    output_tokens=None,
    usage_counters={},
    duration_has_operation=frozenset({CHAT, TEXT_COMPLETION, RETRIEVAL, EMBEDDINGS}),
)

_V0_1_0: Final = Dialect(
    name="0.1.0",
    schema_url=None,
    inference_duration=Instrument(
        "gen_ai.client.inference.duration", "s", "Duration of a model call.", _DURATION_BUCKETS
    ),
    time_to_first_chunk=Instrument(
        "gen_ai.client.inference.time_to_first_chunk", "s", "Time to the first chunk with content.", _DURATION_BUCKETS
    ),
    time_per_output_chunk=Instrument(
        "gen_ai.client.inference.time_per_output_chunk", "s", "Time between chunks after the first.", _DURATION_BUCKETS
    ),
    workflow_duration=AGENT_DURATION,
    workflow_name=AGENT_NAME,
    token_usage=None,
    input_tokens=Instrument(
        "gen_ai.client.inference.operation.input_tokens", "{token}", "Input tokens per call.", _TOKEN_BUCKETS
    ),
    output_tokens=Instrument(
        "gen_ai.client.inference.operation.output_tokens", "{token}", "Output tokens per call.", _TOKEN_BUCKETS
    ),
    usage_counters={
        USAGE_INPUT: _usage_counter("input_tokens", "Input tokens used."),
        USAGE_OUTPUT: _usage_counter("output_tokens", "Output tokens used."),
        USAGE_CACHE_READ: _usage_counter("cache_read.input_tokens", "Input tokens served from a cache."),
        USAGE_CACHE_WRITE: _usage_counter("cache_write.input_tokens", "Input tokens written to a cache."),
        USAGE_REASONING: _usage_counter("reasoning.output_tokens", "Output tokens used for reasoning."),
    },
    duration_has_operation=frozenset({CHAT, TEXT_COMPLETION, RETRIEVAL, EMBEDDINGS, INVOKE_AGENT, INVOKE_WORKFLOW}),
)

DIALECTS: Final = {dialect.name: dialect for dialect in (_PY_1_3, _V0_1_0)}
DEFAULT_DIALECT: Final = _PY_1_3.name
LATEST_DIALECT: Final = _V0_1_0.name

# The test metric of `otel-callbacks doctor`: one counter, with a label that identifies the check
DOCTOR_METRIC: Final = "otel_callbacks.doctor.checks"
DOCTOR_CHECK: Final = "otel_callbacks.doctor.check"
