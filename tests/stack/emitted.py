"""What this package sends, as Prometheus names it: the specification that boards, rules and real data are held to."""

from typing import NamedTuple

HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")
BOTH = frozenset({"py-1.3", "0.1.0"})
DEFAULT = frozenset({"py-1.3"})
LATEST = frozenset({"0.1.0"})

RESOURCE = {"job", "instance", "service_name", "service_namespace", "service_version", "deployment_environment_name"}
SCOPE = {"otel_scope_name", "otel_scope_version", "otel_scope_schema_url"}
REQUEST = {"gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"}
MODEL = REQUEST | {"gen_ai_response_model", "server_address", "server_port"}
ENDED = {"error_type", "otel_callbacks_outcome"}
TOOL = {"gen_ai_tool_name", "gen_ai_tool_type", "gen_ai_agent_name"} | ENDED
AGENT = {"gen_ai_agent_name"}
RETRIEVER = {"otel_callbacks_retriever_name", "otel_callbacks_retriever_inner"}


class Metric(NamedTuple):
    """A metric: its own labels, whether it is a histogram, and the dialects that have it."""

    labels: set[str]
    is_histogram: bool
    dialects: frozenset[str] = BOTH


METRICS = {
    "gen_ai_client_operation_duration_seconds": Metric(MODEL | RETRIEVER | ENDED, is_histogram=True),
    "gen_ai_client_inference_duration_seconds": Metric(MODEL | ENDED, True, LATEST),
    "gen_ai_client_operation_time_to_first_chunk_seconds": Metric(MODEL, True, DEFAULT),
    "gen_ai_client_inference_time_to_first_chunk_seconds": Metric(MODEL, True, LATEST),
    "gen_ai_client_operation_time_per_output_chunk_seconds": Metric(MODEL, True, DEFAULT),
    "gen_ai_client_inference_time_per_output_chunk_seconds": Metric(MODEL, True, LATEST),
    "gen_ai_client_token_usage": Metric(MODEL | {"gen_ai_token_type"}, True, DEFAULT),
    "gen_ai_client_inference_operation_input_tokens": Metric(MODEL, True, LATEST),
    "gen_ai_client_inference_operation_output_tokens": Metric(MODEL, True, LATEST),
    **{
        f"gen_ai_client_inference_usage_{name}_total": Metric(MODEL | {"gen_ai_token_modality"}, False, LATEST)
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_write_input_tokens",
            "reasoning_output_tokens",
        )
    },
    "gen_ai_execute_tool_duration_seconds": Metric(TOOL, is_histogram=True),
    "gen_ai_invoke_agent_duration_seconds": Metric(AGENT | ENDED | {"gen_ai_operation_name"}, is_histogram=True),
    "gen_ai_invoke_agent_inference_calls": Metric(AGENT, is_histogram=True),
    "gen_ai_invoke_agent_tool_calls": Metric(AGENT, is_histogram=True),
    "gen_ai_invoke_workflow_duration_seconds": Metric({"gen_ai_workflow_name"} | ENDED, True, DEFAULT),
    "otel_callbacks_step_duration_seconds": Metric(
        {"langgraph_node", "gen_ai_agent_name", "otel_callbacks_workflow"} | ENDED, is_histogram=True
    ),
    "otel_callbacks_tool_calls_unanswered_total": Metric({"gen_ai_agent_name", "error_type"}, is_histogram=False),
    "otel_callbacks_finish_reasons_total": Metric(REQUEST | {"otel_callbacks_finish_reason"}, is_histogram=False),
    "otel_callbacks_usage_missing_total": Metric(REQUEST, is_histogram=False),
    "otel_callbacks_redactions_total": Metric({"otel_callbacks_redaction_rule"}, is_histogram=False),
    "otel_callbacks_time_to_first_visible_chunk_seconds": Metric(MODEL, is_histogram=True),
    "otel_callbacks_tokens_total": Metric(
        AGENT | {"gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"}, is_histogram=False
    ),
    "otel_callbacks_cost_USD_total": Metric(
        REQUEST | AGENT | {"gen_ai_response_model", "otel_callbacks_cost_source"}, is_histogram=False
    ),
    "otel_callbacks_unpriced_total": Metric(REQUEST, is_histogram=False),
    "otel_callbacks_errors_total": Metric({"otel_callbacks_error_kind"}, is_histogram=False),
    "otel_callbacks_discrepancies_total": Metric({"otel_callbacks_discrepancy_kind"}, is_histogram=False),
    "otel_callbacks_runs_total": Metric({"langchain_run_type", "otel_callbacks_outcome"}, is_histogram=False),
    "otel_callbacks_runs_open": Metric(set(), is_histogram=False),
}

STACK_METRICS = {
    "up": {"job", "instance"},
    "otelcol_exporter_queue_size": {"job", "exporter"},
    "otelcol_exporter_queue_capacity": {"job", "exporter"},
    **{
        f"prometheus_remote_storage_{name}": {"job", "remote_name"}
        for name in (
            "samples_failed_total",
            "histograms_failed_total",
            "exemplars_failed_total",
            "queue_highest_sent_timestamp_seconds",
        )
    },
}
"""Metrics of the stack's own programs, as far as boards and rules read them by name."""


def base(series: str) -> str:
    """Return the metric that a series belongs to."""
    for part in HISTOGRAM_PARTS:
        stem = series.removesuffix(part)
        if stem != series and stem in METRICS and METRICS[stem].is_histogram:
            return stem
    return series
