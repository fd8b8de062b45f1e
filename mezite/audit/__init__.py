"""Evidence: events, the one text of each, the chain that ties them, and how a stored chain is judged."""
