"""Time and loss, simulated: hours of a bad link in milliseconds."""
