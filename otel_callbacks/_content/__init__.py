"""The content of runs that may leave: captured where configured, bounded and redacted."""
