"""Name and version of the package: the build, the scope of every span and metric, and the command line read them."""

__version__ = "0.1.0"
SCOPE = "otel_callbacks"
"""The instrumentation scope of everything this package emits."""
