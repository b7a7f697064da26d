"""For applications without OpenTelemetry: exporters, the resource, and an end that loses nothing."""
