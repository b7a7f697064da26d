"""What is counted: instruments and their labels, and what model calls cost. Gets values, never runs."""
