"""What is open: the life of a run from its start to its end.

Here LangChain's events meet OpenTelemetry's objects.
"""
