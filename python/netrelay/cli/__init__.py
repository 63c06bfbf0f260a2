"""The command line: `netrelay`."""
