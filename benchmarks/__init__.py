"""What the handler costs: measured beside no handler, the least a tracer can do, and other tracers."""
