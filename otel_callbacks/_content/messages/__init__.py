"""Messages, tools, documents and run values in the form of the GenAI conventions, still unbounded and unredacted."""
