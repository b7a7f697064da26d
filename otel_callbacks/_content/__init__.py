"""What may leave: content of runs, captured where it was asked for, bounded and redacted."""
