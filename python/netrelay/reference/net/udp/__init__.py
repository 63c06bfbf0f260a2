"""UDP's conversations: with one peer, with whoever calls, or with everybody at once."""
