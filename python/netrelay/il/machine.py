"""What a core offers of IL: one end of a conversation, without socket or clock (docs/il.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from netrelay.types import IlEvent

# Of one message, which travels in one IP datagram with 20 bytes of IP's header and 18 of IL's.
MAX_MESSAGE: Final = 65_535 - 20 - 18


class IlCore(Protocol):
    """One end of an IL conversation (docs/il.md).

    Times are milliseconds since an epoch of the caller's and never go back. After every call: send
    what `poll_transmit` gives, look at `poll_event`, and come back at `poll_timeout`.
    """

    def handle_packet(self, now: int, data: bytes, /) -> None:
        """What IP delivered, without IP's header; flawed packets are counted."""

    def send(self, now: int, message: bytes, /) -> bool:
        """Send a message, which may be empty; false if not now, see `room`.

        Errors: `NetError` if it is too long, or the conversation is over or will be.
        """

    def room(self) -> int:
        """How many messages `send` would take now."""

    def close(self, now: int, /) -> None:
        """End the conversation once what was sent has arrived; what nobody has read is lost."""

    def advise(self, reason: str, /) -> None:
        """The host says that the other side can't be reached; a call ends with that text."""

    def poll_transmit(self) -> bytes | None:
        """The next packet to send, if any; ask until there is none."""

    def poll_timeout(self) -> int | None:
        """When to call `handle_timeout`, unless something else is called before."""

    def handle_timeout(self, now: int, /) -> None:
        """Do what is due by now."""

    def poll_event(self) -> IlEvent | None:
        """What has happened, if anything: one connected, messages, one closed."""

    def state(self) -> str:
        """The word of its state; after `Closed` nothing comes but what the polls still hold."""

    def status(self) -> str:
        """The line of `status`, with its newline."""

    def stats(self) -> dict[str, int]:
        """What it counted, by the names and in the order of `stats`."""


class IlFactory(Protocol):
    """Makes ends of IL conversations; ports and ids are numbers of 16 and 32 bits."""

    def connect(self, now: int, local: int, remote: int, start: int, /) -> IlCore:
        """Call port `remote` from port `local`; `start` is our first id."""

    def connect_fast(self, now: int, local: int, remote: int, start: int, /) -> IlCore:
        """The same in a hurry (`!fasttimeout`): tries again every tick, five times at most."""

    def accept(self, now: int, sync: bytes, start: int, /) -> IlCore | None:
        """Answer a call; nothing if the packet is none."""

    def refuse(self, data: bytes, /) -> bytes | None:
        """What a packet gets that no conversation is there for: a close, if anything."""
