"""What ``otel-callbacks demo`` is made of: a loopback model server, programs that call it, telemetry, a summary."""
