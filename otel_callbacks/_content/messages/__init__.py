"""Messages, tools and documents in the form of the GenAI conventions; values still unbounded and unredacted."""
