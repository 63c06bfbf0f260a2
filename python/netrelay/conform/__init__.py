"""A conformance suite for any exported /net: whether a server does what Plan 9's does.

`examine` connects to a server and finds out what it offers, `select` names the checks, `run` runs
them. The server may be anybody's: all that is used is 9P and, where the server can reach this
machine, sockets here. It was written from the manual pages and the original sources, and knows
nothing of our own server. `netrelay conform` is its command line; docs/conformance.md lists the
checks.
"""

from netrelay.conform.differences import DIFFERENCES, Difference
from netrelay.conform.outcomes import Outcome, Result
from netrelay.conform.subject import Options, Subject, examine
from netrelay.conform.suite import CHECKS, run, run_one, select

__all__ = [
    "CHECKS",
    "DIFFERENCES",
    "Difference",
    "Options",
    "Outcome",
    "Result",
    "Subject",
    "examine",
    "run",
    "run_one",
    "select",
]
