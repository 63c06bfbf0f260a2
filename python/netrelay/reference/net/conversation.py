"""What every conversation is, whatever its protocol (ip(3), docs/tree.md 5).

It lives from the clone (or the call) that took its number until the last clunk of ctl, data and
err. Who may do what was checked before a request comes here. Each protocol has a class of its own.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeVar

from netrelay.reference.net.address import NOWHERE

if TYPE_CHECKING:
    import asyncio
    from collections import Counter
    from collections.abc import Callable, Hashable

    from netrelay.reference.net.address import Address, Ip
    from netrelay.reference.net.ether.interface import Interface
    from netrelay.reference.net.il.stats import Totals
    from netrelay.reference.net.qids import Place
    from netrelay.reference.net.request import Request, Write
    from netrelay.reference.net.sockets import Sockets
    from netrelay.types import Limits

Kin = TypeVar("Kin", bound="Conversation")


class State(enum.Enum):
    """Where a conversation stands."""

    IDLE = enum.auto()
    CONNECTING = enum.auto()
    CONNECTED = enum.auto()
    ANNOUNCED = enum.auto()
    HUNGUP = enum.auto()


class Retiring(Protocol):
    """A connection that is closed in the background."""

    @property
    def gone(self) -> bool:
        """Whether that is done."""

    def abandon(self) -> None:
        """Close it as it stands."""


class Surroundings(Protocol):
    """What a conversation asks of its stack."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The gateway's loop."""

    @property
    def sockets(self) -> Sockets:
        """Where its sockets come from."""

    @property
    def limits(self) -> Limits:
        """The gateway's bounds."""

    def check_dial(self, ip: Ip) -> None:
        """Whether an address may be dialled. Errors: `permission denied`."""

    def note(self, conversation: Conversation, event: str, address: Address) -> None:
        """Tell the log."""

    def ended(self, conversation: Conversation, address: Address) -> None:
        """Tell the log that it is over with `address`."""

    def check_free(self, announced: Conversation) -> None:
        """Whether there is a number for a call. Errors: `no free devices`."""

    def called(self, announced: Kin) -> Kin:
        """The conversation of a call, owned as the announced one is."""

    def retire(self, close: Callable[[float, Callable[[Retiring], None]], Retiring]) -> None:
        """Close a connection in the background; `close` begins that.

        It is given the most seconds without progress, and what to call when it is gone.
        """

    @property
    def il_totals(self) -> Totals:
        """What conversations of il have counted."""

    @property
    def ports(self) -> list[int]:
        """The ports of TCP that sessions come to."""

    def ether(self, protocol: int) -> Interface:
        """The interface that a protocol is."""

    def check_grant(self, name: str) -> None:
        """Whether the operator has granted something. Errors: `permission denied`."""

    def taken(self, protocol: int) -> set[Hashable]:
        """What conversations of a protocol have each for itself, such as the ids of icmp."""

    def tally(self, protocol: int) -> Counter[str]:
        """What conversations of a protocol have counted together, for its stats."""

    def count(self, name: str, change: int) -> None:
        """Bump a counter."""


class Conversation(ABC):
    """A numbered directory of a protocol, in use."""

    # What the status of a number that is idle says.
    IDLE: ClassVar[str]
    # Whether Twrites of data wait for the network, and are bounded therefore.
    QUEUES: ClassVar[bool]
    # Whether a Tread of data is one message, which no other Tread adds to.
    MESSAGES: ClassVar[bool]

    def __init__(self, around: Surroundings, place: Place, owner: str) -> None:
        # That of its ctl.
        self.place = place
        self.owner = owner
        self.mode = 0o660
        self.opens = 0
        self.state = State.IDLE
        self._around = around
        self._local = self._remote = NOWHERE

    @property
    def local(self) -> str:
        """The text of local."""
        return f"{self._local}\n"

    @property
    def remote(self) -> str:
        """The text of remote."""
        return f"{self._remote}\n"

    @staticmethod
    @abstractmethod
    def stats(around: Surroundings, most: int) -> str:
        """The text of the protocol's stats; `most` conversations are its limit."""

    @abstractmethod
    def read(self, request: Request, count: int) -> None:
        """A Tread of data."""

    @abstractmethod
    def serve_reads(self) -> None:
        """Answer waiting Treads as far as the network and the clients allow."""

    @abstractmethod
    def check_write(self) -> None:
        """Whether a Twrite of data may be made. Errors: what the Twrite is refused with."""

    @abstractmethod
    def write(self, write: Write) -> None:
        """A Twrite of data that may be made."""

    @abstractmethod
    def control(self, request: Request, line: bytes) -> None:
        """A Twrite of ctl, answered when the command is carried out.

        Errors: as listed in docs/tree.md.
        """

    @abstractmethod
    def listen(self, request: Request) -> None:
        """A Topen of listen, answered with the conversation of a call by `called`.

        Errors: `not announced`.
        """

    @property
    @abstractmethod
    def status(self) -> str:
        """The text of status."""

    @abstractmethod
    def release(self) -> None:
        """The last clunk: nobody holds it any more."""
