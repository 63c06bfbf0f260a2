"""Nothing is lost, doubled or mixed up, and bad input costs nobody else anything."""
