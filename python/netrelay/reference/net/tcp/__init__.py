"""TCP's conversations: a byte stream each way, whose end outlives its number."""
