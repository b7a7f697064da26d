"""The checks of ``otel-callbacks doctor``."""
