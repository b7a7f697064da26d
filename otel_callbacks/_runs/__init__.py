"""What is open: the life of a run from its start to its end.

The one room that knows both LangChain's events and OpenTelemetry's objects.
"""
