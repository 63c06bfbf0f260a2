"""A conversation of il: its state, its commands, both directions, its end in the background."""
