"""What a run means: pure functions from records to plans, attributes and outcomes. Start with `tables`."""
