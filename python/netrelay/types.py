"""Values that everything else speaks of: dialects, qids, stat records, events, configuration.

Plain tuples and frozen dataclasses, the same for both cores, so that what one core returns
can be compared with what the other returns. Nothing here does anything.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from netrelay.messages import Message

NOTAG = 0xFFFF
NOFID = 0xFFFF_FFFF
NONUNAME = 0xFFFF_FFFF
MAXWELEM = 16
IOHDRSZ = 24
MIN_MSIZE = 4096
MAX_MSIZE = 8 << 20
DEFAULT_MSIZE = 1 << 20
FIRST_MSIZE = 8192 + IOHDRSZ
WINDOW = 4 << 20

QTDIR, QTAPPEND, QTEXCL, QTMOUNT = 0x80, 0x40, 0x20, 0x10
QTAUTH, QTTMP, QTSYMLINK, QTLINK, QTFILE = 0x08, 0x04, 0x02, 0x01, 0x00
DMDIR = 0x8000_0000
OREAD, OWRITE, ORDWR, OEXEC, OTRUNC, ORCLOSE = 0, 1, 2, 3, 0x10, 0x40

VERSIONS = ("9P2000", "9P2000.netrelay", "9P2000.u", "9P2000.L")
WINDOWED = "9P2000.netrelay"

STACK_KINDS = ("netns", "dev", "addr")
MAX_STACKS = 32
MAX_ETHERS = 64

ROOT_DEVICE, STACK_DEVICE, SESSION_DEVICE = "/", "I", "M"


class Dialect(enum.Enum):
    """Which of the three languages a session speaks."""

    P2000 = "9P2000"
    U = "9P2000.u"
    L = "9P2000.L"

    @classmethod
    def of(cls, version: str) -> Dialect:
        """The dialect of an agreed version string."""
        return {"9P2000.u": cls.U, "9P2000.L": cls.L}.get(version, cls.P2000)


class Qid(NamedTuple):
    """The server's identity of a file."""

    type: int
    vers: int
    path: int


class Stat(NamedTuple):
    """A stat record (stat(5)); the last four are on the wire in 9P2000.u only."""

    type: int
    dev: int
    qid: Qid
    mode: int
    atime: int
    mtime: int
    length: int
    name: str
    uid: str
    gid: str
    muid: str
    extension: str = ""
    n_uid: int = NONUNAME
    n_gid: int = NONUNAME
    n_muid: int = NONUNAME


class Dirent(NamedTuple):
    """An entry of Rreaddir."""

    qid: Qid
    offset: int
    type: int
    name: str


class FidView(NamedTuple):
    """What a server session knows of a fid."""

    fid: int
    walked: Qid
    open: tuple[Qid, int] | None
    root: Qid
    uname: str


class Send(NamedTuple):
    """Server session: send this frame."""

    frame: bytes


class Ask(NamedTuple):
    """Server session: decide this request and answer it."""

    tag: int
    message: Message
    fid: FidView | None


class Withdraw(NamedTuple):
    """Server session: a flush wants this request back."""

    tag: int


class Reset(NamedTuple):
    """Server session: every ask is forgotten and every fid is gone."""


class Ready(NamedTuple):
    """Client session: the version is agreed."""

    dialect: Dialect
    msize: int
    windowed: bool


class Retry(NamedTuple):
    """Client session: send this, the plain version."""

    frame: bytes


class Reply(NamedTuple):
    """Client session: the reply to a request."""

    tag: int
    message: Message


class Flushed(NamedTuple):
    """Client session: a flush is done and its tag free."""

    tag: int
    replied: bool


class IlConnected(NamedTuple):
    """IL: both sides know of each other; messages may be sent."""


class IlMessage(NamedTuple):
    """IL: the other side sent this, one message."""

    data: bytes


class IlClosed(NamedTuple):
    """IL: no message follows, as `reason` says unless the end was an orderly one."""

    reason: str | None


Event = Send | Ask | Withdraw | Reset
ClientEvent = Ready | Retry | Reply | Flushed
IlEvent = IlConnected | IlMessage | IlClosed


class Upcall(NamedTuple):
    """A question of the gateway: `kind` is `cs`, `dns` or `host`; `stack` is empty for `/net`.

    A query of kind `host` is `read PATH`, answered with the text, or `write PATH`, a newline and
    the data, answered with no reply; PATH is below the stack's directory.
    """

    id: int
    kind: str
    user: str
    query: bytes
    stack: str = ""


class Completion(NamedTuple):
    """Something an importer core has finished; `kind` says which fields mean something.

    - `ready` (id 0, once, first): the version is agreed; `number` is the msize, `windowed` says
      whether it is a gateway of ours.
    - `rpc`: the reply to `rpc()`: `message` is it, an Rerror or Rlerror too; payloads are bytes.
    - `flushed`: `flush(id)` of that request is over and the request was *not* answered. A request
      that was answered before its Rflush comes as `rpc` alone.
    - `dial`: `number`, `ctl`, `data` of a conversation that is up, or `error` and `errno`
      (then all fids of it are clunked).
    - `listen`: `number`, `ctl`, `data` of a conversation that called, `remote` its caller
      (`addr!port`), or `error` and `errno`.
    - `pump`: both directions have ended; `bytes_up` (towards the gateway), `bytes_down`, and
      `error` unless the end was an orderly one. `dial_and_pump` that could not dial ends
      as `dial` with the error; one that could reports `dial` first and `pump` at the end.
    - `closed` (id 0, once, last): the session is over; `error` says why unless `close()` did it.
      Every other request has been completed with `error` `i/o on hungup channel` before.

    The root fid is 0: the program attaches it by `rpc(Tattach(0, NOFID, uname, aname))`, before any
    dial; `new_fid()` counts from 1.
    """

    id: int
    kind: str
    message: Message | None = None
    number: int = 0
    ctl: int = NOFID
    data: int = NOFID
    bytes_up: int = 0
    bytes_down: int = 0
    windowed: bool = False
    error: str | None = None
    errno: int = 0
    remote: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Every bound of a gateway, in bytes, counts and seconds (docs/tree.md)."""

    fid_write_bytes: int = 4 << 20
    session_write_bytes: int = 64 << 20
    gateway_write_bytes: int = 1 << 30
    fid_reads: int = 1024
    session_unread_bytes: int = 8 << 20
    session_fids: int = 65536
    session_requests: int = 4096
    sessions: int = 4096
    conversations: int = 10_000
    upcalls: int = 1024
    handshake_s: float = 10.0
    linger_s: float = 10.0
    # What RFC 4787 asks of whoever keeps a state for others' datagrams; 0 is never.
    packet_idle_s: float = 300.0


class StackConfig(NamedTuple):
    """A stack besides the process's own, served as `/net.NAME`.

    `kind` says what its sockets have in common: `netns`, a network namespace by name or path;
    `dev`, an interface; `addr`, a local address. `value` is which.
    """

    name: str
    kind: str
    value: str


class Tree(NamedTuple):
    """A tree of files by the letter of its device and its number, as in `#I1`.

    `/` is the root's own, of directories to mount on; `I` is a stack, `M` a mounted session.
    """

    device: str
    number: int = 0

    def __str__(self) -> str:
        return f"#{self.device}" if self.device == ROOT_DEVICE else f"#{self.device}{self.number}"


class Spot(NamedTuple):
    """A file apart from any name space: a tree, and the names from its root."""

    tree: Tree
    names: tuple[str, ...] = ()

    def below(self, *names: str) -> Spot:
        """What these names lead to from it."""
        return Spot(self.tree, (*self.names, *names))

    def __str__(self) -> str:
        return "/".join((str(self.tree), *self.names))


class Member(NamedTuple):
    """One of the files that are mounted at a spot; `create` lets files be made in it."""

    spot: Spot
    create: bool = False


class NamespaceConfig(NamedTuple):
    """What is mounted where, and the root's own directories, of which `()` is the first."""

    directories: tuple[tuple[str, ...], ...]
    mounts: tuple[tuple[Spot, tuple[Member, ...]], ...]


@dataclass(frozen=True, slots=True)
class GatewayConfig:
    """What a gateway core is told. `grant` names what needs a grant (docs/tree.md 8).

    `ethers` names the interfaces whose frames are served, as ether0 on (docs/ether.md).
    Without a `namespace` the stacks are at `/net` and `/net.NAME`.
    """

    host_owner: str
    root: str = "/"
    workers: int = 0
    allow_dial: tuple[str, ...] = ()
    ndb: bytes = b""
    started: int = 0
    limits: Limits = field(default_factory=Limits)
    stacks: tuple[StackConfig, ...] = ()
    grant: tuple[str, ...] = ()
    ethers: tuple[str, ...] = ()
    namespace: NamespaceConfig | None = None
