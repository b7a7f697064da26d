"""The parts of ``otel-callbacks report``: reading files, adding up, formatting."""
