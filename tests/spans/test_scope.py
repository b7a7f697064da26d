import pytest

from otel_callbacks._version import __version__
from tests.support.programs import weather
from tests.support.recorded_spans import RecordedSpans


@pytest.mark.parametrize(
    ("dialect", "schema_url"), [("py-1.3", "https://opentelemetry.io/schemas/1.37.0"), ("0.1.0", "")]
)
def test_scope_names_the_package_and_the_schema(telemetry: RecordedSpans, dialect, schema_url):
    """Spans and metrics name the package, its version, and the dialect's schema if one is published."""
    weather.invoke({"city": "Oslo"}, {"callbacks": [telemetry.new_handler(semconv=dialect)]})
    scopes = [telemetry.span("execute_tool weather").instrumentation_scope]
    data = telemetry.reader.get_metrics_data()
    scopes += [scope.scope for resource in data.resource_metrics for scope in resource.scope_metrics]
    assert {scope.name for scope in scopes} == {"otel_callbacks"}
    assert {scope.version for scope in scopes} == {__version__}
    assert {scope.schema_url or "" for scope in scopes} == {schema_url}
