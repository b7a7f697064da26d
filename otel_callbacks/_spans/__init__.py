"""What is current: the body a run executes in, and the span that stands for it there."""
