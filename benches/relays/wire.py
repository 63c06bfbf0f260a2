"""A wire between two TUN devices that takes its time: `wire.py DESCRIPTOR DESCRIPTOR SECONDS`.

Packets arrive that much later, in order, all of them, until standard input ends. It stands in for
netem, a module that many kernels come without.
"""

from __future__ import annotations

import collections
import os
import select
import sys
import time

# Larger than any packet of the devices.
ROOM = 1 << 16
# Packets of one direction before the other has its turn.
TURN = 64

Late = collections.deque[tuple[float, bytes]]


def main(one: int, other: int, delay_s: float) -> None:
    """Carry until standard input ends."""
    ways: list[tuple[int, int, Late]] = [
        (one, other, collections.deque()),
        (other, one, collections.deque()),
    ]
    for end in (one, other):
        os.set_blocking(end, False)
    poll = select.epoll()
    for end in (sys.stdin.fileno(), one, other):
        poll.register(end, select.EPOLLIN)
    while True:
        firsts = [late[0][0] for _, _, late in ways if late]
        events = poll.poll(max(0.0, min(firsts) - time.monotonic()) if firsts else None)
        if any(end == sys.stdin.fileno() for end, _ in events):
            return
        for source, to, late in ways:
            take(source, late, delay_s)
            deliver(to, late)


def take(source: int, late: Late, delay_s: float) -> None:
    """What a device has sent is under way from now on."""
    due = time.monotonic() + delay_s
    for _ in range(TURN):
        try:
            late.append((due, os.read(source, ROOM)))
        except BlockingIOError:
            break


def deliver(to: int, late: Late) -> None:
    """What has been under way for long enough arrives."""
    now = time.monotonic()
    while late and late[0][0] <= now:
        os.write(to, late.popleft()[1])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
