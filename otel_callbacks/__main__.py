"""``python -m otel_callbacks`` is the command line ``otel-callbacks``."""

import sys

from otel_callbacks.cli import main

sys.exit(main())
