"""What LangChain says: the place a callback is called from, and how its events reach us."""
