"""The page of ``otel-callbacks view``: what is read, and how it is put into one file."""
