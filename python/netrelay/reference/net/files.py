"""The files as one session uses them: what opens, reads, writes and clunks of each kind do.

Decisions that need no gateway are in `tree`, `attributes`, `directory` and `query`;
conversations see to themselves. Here they are put together, and the opens of this session are
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from netrelay import messages as m
from netrelay.errors import NetError
from netrelay.reference.net import attributes, tree, walks
from netrelay.reference.net.address import NOWHERE
from netrelay.reference.net.directory import Listing
from netrelay.reference.net.ether.slot import Slot
from netrelay.reference.net.hostfile import HostFile, is_hosts
from netrelay.reference.net.log import LogReader
from netrelay.reference.net.protocol import BY_NUMBER, Makes
from netrelay.reference.net.qids import Kind, Place
from netrelay.reference.net.query import Query
from netrelay.reference.net.reached import Reached
from netrelay.reference.net.refusal import refusal
from netrelay.reference.net.request import Request, Write
from netrelay.reference.net.rest import LOOKUP_MASK, Rest, rest_of
from netrelay.types import NOFID, OEXEC, ORDWR, OTRUNC

if TYPE_CHECKING:
    from collections.abc import Callable

    from netrelay.reference.net.conversation import Conversation
    from netrelay.reference.net.questions import Ask, Verdict
    from netrelay.reference.net.shared import Shared
    from netrelay.reference.net.walks import Position
    from netrelay.types import Dialect, FidView, Qid, Stat

_HELD: Final = frozenset({Kind.CTL, Kind.DATA, Kind.ERR})
_CHANGES: Final = (
    m.Tcreate | m.Tremove | m.Tlcreate | m.Tsymlink | m.Tmknod | m.Trename | m.Tlink | m.Tmkdir
    | m.Trenameat | m.Tunlinkat
)  # fmt: skip
_LACKING: Final = m.Txattrwalk | m.Txattrcreate | m.Treadlink | m.Tlock | m.Tgetlock
# O_TRUNC as 9P2000.L has it.
_L_TRUNC: Final = 0o1000
_V9FS_MAGIC: Final = 0x01021997
# Where the original cuts an error.
_ERRMAX: Final = 127


@dataclass(slots=True, eq=False)
class OpenFile:
    """An open fid of this session."""

    place: Place
    user: str
    conversation: Conversation | None = None
    listing: Listing | None = None
    query: Query | None = None
    log: LogReader | None = None
    host: HostFile | None = None
    rest: Rest | None = None
    waiting_bytes: int = 0
    refusing: bool = False


class Files:
    """The open files of one session."""

    def __init__(self, shared: Shared, root: str) -> None:
        self._shared = shared
        # What of that which is exported attaches see.
        self._root = f"{shared.config.root}/{root}"
        self._open: dict[int, OpenFile] = {}
        self._reached = Reached(shared)
        self._of_linux = False
        self.waiting_bytes = 0

    @property
    def holds_conversations(self) -> bool:
        """Whether a conversation is open here."""
        return any(file.conversation is not None for file in self._open.values())

    def asks_python(self, message: m.Message, view: FidView | None) -> bool:
        """Whether a request is a question to Python."""
        file = self._open.get(view.fid) if view is not None else None
        if file is None:
            return False
        if isinstance(message, m.Tread):
            return file.host is not None and file.host.asks(message.offset)
        asking = file.query is not None or file.host is not None
        return asking and isinstance(message, m.Twrite)

    def writes_data(self, fid: int) -> bool:
        """Whether the fid is an open data file."""
        file = self._open.get(fid)
        return file is not None and file.place.kind is Kind.DATA

    def resume_reads(self) -> None:
        """The client reads again: so do the conversations that stopped for it."""
        for file in list(self._open.values()):
            if file.conversation is not None:
                file.conversation.serve_reads()

    def handle(self, request: Request, view: FidView | None, dialect: Dialect) -> None:
        """Carry out one request that the session asks about; it is answered now or later.

        Errors: a refusal, which is the answer.
        """
        message = request.message
        match message:
            case m.Tauth():
                raise refusal("NO_AUTHENTICATION")
            case m.Tattach():
                self._attach(request, message)
        if view is None:
            return
        opened = self._open.get(view.fid)
        position, _ = self._reached.where(view)
        place = opened.place if opened is not None else self._shared.mounts.seen(position.place)
        match message:
            case m.Twalk():
                self._walk(request, message, view)
            case m.Topen(mode=mode):
                self._topen(request, view, mode)
            case m.Tlopen(flags=flags):
                access = min(flags & 3, ORDWR)
                self._topen(request, view, access | (OTRUNC if flags & _L_TRUNC else 0))
            case m.Tclunk():
                self.clunk(view.fid)
                request.answer(m.Rclunk())
            case m.Tstat():
                request.answer(m.Rstat(self._stat(opened, position)))
            case m.Tgetattr(request_mask=mask):
                self._of_linux |= mask == LOOKUP_MASK
                request.answer(attributes.getattr_(self._stat(opened, position)))
            case m.Twstat(stat=wanted):
                self._change(attributes.wstat(place, wanted, view.uname, self._shared), place)
                request.answer(m.Rwstat())
            case m.Tsetattr():
                self._change(attributes.setattr_(place, message, view.uname, self._shared), place)
                request.answer(m.Rsetattr())
            case m.Tread() | m.Treaddir() if opened is not None and opened.listing is not None:
                self._list(request, opened.listing, view, dialect)
            case m.Tread() if opened is not None:
                self._read(request, opened, message, dialect)
            case m.Treaddir() if opened is not None:
                raise refusal("NOT_A_DIRECTORY")
            case m.Twrite() if opened is not None:
                self._write(request, opened, message)
            case m.Tstatfs():
                request.answer(m.Rstatfs(_V9FS_MAGIC, 4096, 0, 0, 0, 0, 0, 0, 255))
            case m.Tfsync():
                request.answer(m.Rfsync())
            case _:
                self._refuse_change(message, view)

    def clunk(self, fid: int) -> None:
        """Give a fid back; one that is only walked holds nothing."""
        self._reached.forget(fid)
        file = self._open.pop(fid, None)
        if file is None:
            return
        if file.log is not None:
            self._shared.stack(file.place).log.readers.remove(file.log)
        if file.conversation is not None:
            self._shared.slots(file.place).give_back(file.conversation)

    def clunk_all(self) -> None:
        """The session is gone, or begins anew."""
        self._of_linux = False
        for fid in list(self._open):
            self.clunk(fid)
        self._reached.clear()

    def answered(self, request: Request, reply: m.Message) -> None:
        """A request has got its answer."""
        file = self._open.get(request.fid)
        if file is not None and file.rest is not None and isinstance(request.message, m.Tread):
            file.rest.answered(request.message, reply)

    def called(self, request: Request, call: Conversation) -> m.Message:
        """A listen has got a call: the fid is the ctl of that conversation; the reply."""
        file = OpenFile(call.place, "", call)
        self._open[request.fid] = file
        return self._opened(request, file.place)

    def _attach(self, request: Request, message: m.Tattach) -> None:
        if message.afid != NOFID:
            raise refusal("NO_AUTHENTICATION")
        root = walks.attach(self._root, message.aname, self._shared)
        self._reached.note(message.fid, root, root)
        request.answer(m.Rattach(self._seen(root)))

    def _walk(self, request: Request, message: m.Twalk, view: FidView) -> None:
        position, root = self._reached.where(view)
        positions = walks.walk(position, root, message.wname, self._shared)
        if len(positions) == len(message.wname):
            self._reached.note(message.newfid, [position, *positions][-1], root)
        request.answer(m.Rwalk(tuple(map(self._seen, positions))))

    def _stat(self, opened: OpenFile | None, position: Position) -> Stat:
        """The stat record of a fid: of an open file its own, whatever was walked to."""
        if opened is None or opened.listing is not None:
            return tree.seen(position.place, self._shared)
        return tree.stat(opened.place, self._shared)

    def _topen(self, request: Request, view: FidView, mode: int) -> None:
        position, _ = self._reached.where(view)
        place = self._shared.mounts.seen(position.place)
        tree.check_open(place, mode, view.uname, self._shared)
        file = OpenFile(place, view.uname)
        match place.kind:
            case _ if place.directory:
                file.listing = Listing()
            case _ if is_hosts(place):
                file.host = HostFile(place, self._asker(file))
            case Kind.CLONE:
                file.conversation = self._shared.slots(place).clone(view.uname)
                file.place = file.conversation.place
            case Kind.CTL | Kind.DATA | Kind.ERR:
                file.conversation = self._shared.slots(place).use(place.number, view.uname)
            case Kind.LISTEN:
                announced = self._shared.at(place)
                if announced is None:
                    raise refusal("NOT_ANNOUNCED")
                announced.listen(request)
                return
            case Kind.CS | Kind.DNS:
                file.query = Query(place.kind)
            case Kind.LOG:
                file.log = LogReader()
                self._shared.stack(place).log.readers.append(file.log)
            case Kind.NDB if mode & OTRUNC and mode & 3 != OEXEC:
                self._shared.stack(place).ndb.empty()
        if self._of_linux and isinstance(request.message, m.Tlopen):
            file.rest = rest_of(place.kind, request.message.flags)
        self._open[view.fid] = file
        request.answer(self._opened(request, file.place))

    def _list(self, request: Request, listing: Listing, view: FidView, dialect: Dialect) -> None:
        position, root = self._reached.where(view)
        match request.message:
            case m.Treaddir(offset=offset, count=count):
                at = offset, count
                request.answer(m.Rreaddir(listing.read_entries(position, root, at, self._shared)))
            case m.Tread(offset=offset, count=count) if dialect is not dialect.L:
                request.read(listing.read(position, (offset, count), dialect, self._shared))
            case _:
                raise refusal("BAD_USE_OF_FID")

    def _read(self, request: Request, file: OpenFile, message: m.Tread, dialect: Dialect) -> None:
        rest = file.rest if file.rest is not None and file.rest.asked(message) else None
        if rest is not None and file.conversation is not None and file.conversation.MESSAGES:
            request.answer(rest.reply)
            return
        self._read_of(request, file, message, dialect)
        if rest is not None and request.waits:
            request.withdraw()
            request.answer(rest.reply)

    def _read_of(
        self, request: Request, file: OpenFile, message: m.Tread, dialect: Dialect
    ) -> None:
        offset, count = message.offset, message.count
        place, conversation = file.place, file.conversation
        match place.kind:
            case _ if file.host is not None:
                self._park_bounded(request)
                file.host.read(request, offset, count)
            case Kind.DATA if conversation is not None:
                self._park_bounded(request)
                conversation.read(request, count)
            case Kind.ERR:
                self._park_bounded(request)
                request.park(lambda: None)
            case Kind.CS | Kind.DNS if file.query is not None:
                request.read(file.query.read(offset, count))
            case Kind.LOG if file.log is not None:
                self._park_bounded(request)
                file.log.read(request, count)
            case Kind.NDB:
                request.read(self._shared.stack(place).ndb.read(offset, count))
            case _:
                request.read(self._text(place).encode()[offset : offset + count])

    def _text(self, place: Place) -> str:
        stack, conversation = self._shared.stack(place), self._shared.at(place)
        frames = BY_NUMBER[place.protocol].makes is Makes.FRAMES
        match place.kind:
            case Kind.CTL if frames:
                return padded(place.number)
            case Kind.CTL:
                return str(place.number)
            case Kind.TYPE:
                return padded(conversation.kind if isinstance(conversation, Slot) else 0)
            case Kind.ADDR:
                return stack.ether(place.protocol).address
            case Kind.IFSTATS:
                return ""
            case Kind.STATS:
                return stack.stats(place.protocol)
            case Kind.STATUS:
                return conversation.status if conversation else stack.idle(place.protocol)
            case Kind.LOCAL if conversation is not None:
                return conversation.local
            case Kind.REMOTE if conversation is not None:
                return conversation.remote
        return f"{NOWHERE}\n"

    def _park_bounded(self, request: Request) -> None:
        parked = request.session.parked_reads(request.fid)
        if parked >= self._shared.config.limits.fid_reads:
            raise refusal("TOO_MANY_REQUESTS")

    def _write(self, request: Request, file: OpenFile, message: m.Twrite) -> None:
        data, conversation = bytes(message.data), file.conversation
        match file.place.kind:
            case _ if file.host is not None:
                file.host.write(request, data)
            case Kind.CTL if conversation is not None:
                conversation.control(request, data)
            case Kind.DATA if conversation is not None:
                self._write_data(request, file, conversation, data)
            case Kind.NDB:
                self._shared.stack(file.place).ndb.write(message.offset, data)
                request.answer(m.Rwrite(len(data)))
            case Kind.LOG:
                self._shared.stack(file.place).log.control(data)
                request.answer(m.Rwrite(len(data)))
            case Kind.CS | Kind.DNS if file.query is not None:
                self._ask(request, file, file.query, message.offset, data)
            case _:
                raise refusal("PERMISSION_DENIED")

    def _write_data(
        self, request: Request, file: OpenFile, conversation: Conversation, data: bytes
    ) -> None:
        conversation.check_write()
        if conversation.QUEUES:
            self._check_room(file)

        def account(change: int) -> None:
            file.waiting_bytes += change
            self.waiting_bytes += change
            self._shared.count("parked_bytes", change)

        conversation.write(Write(request, memoryview(data), account))

    def _check_room(self, file: OpenFile) -> None:
        """Whether another Twrite may wait. Errors: `write queue full`."""
        limits = self._shared.config.limits
        if not file.waiting_bytes:
            file.refusing = False
        if (
            file.refusing
            or file.waiting_bytes >= limits.fid_write_bytes
            or self.waiting_bytes >= limits.session_write_bytes
            or self._shared.counters["parked_bytes"] >= limits.gateway_write_bytes
        ):
            # No hole may arise: until all before it are out, the fid's later ones fare alike.
            file.refusing = bool(file.waiting_bytes)
            raise refusal("WRITE_QUEUE_FULL")

    def _ask(
        self, request: Request, file: OpenFile, query: Query, offset: int, data: bytes
    ) -> None:
        query.check(offset, len(data))
        query.running, query.replies = True, []

        def verdict(replies: list[bytes] | None, why: NetError | None) -> None:
            query.running = False
            if why is not None:
                request.refuse(why)
                return
            query.replies = replies or []
            request.answer(m.Rwrite(len(data)))

        forget = self._asker(file)(query.kind.name.lower(), data, verdict)

        def withdraw() -> None:
            query.running = False
            forget()

        request.park(withdraw)

    def _asker(self, file: OpenFile) -> Ask:
        """How questions about a file are asked: as its user, in its stack."""
        stack, questions = self._shared.stack(file.place).name, self._shared.questions

        def ask(kind: str, query: bytes, verdict: Verdict) -> Callable[[], None]:
            question = questions.ask(kind, file.user, query, stack, verdict)
            return lambda: questions.forget(question)

        return ask

    def _change(self, change: attributes.Change, place: Place) -> None:
        conversation = self._shared.at(place)
        if conversation is None:
            return
        if change.mode is not None:
            conversation.mode = change.mode
        if change.owner is not None:
            conversation.owner = change.owner

    def _refuse_change(self, message: m.Message, view: FidView) -> None:
        if isinstance(message, m.Tremove):
            self.clunk(view.fid)
        if isinstance(message, _CHANGES):
            raise refusal("PERMISSION_DENIED")
        if isinstance(message, _LACKING):
            raise refusal("UNKNOWN_MESSAGE")
        raise refusal("BAD_USE_OF_FID")

    def _qid(self, place: Place) -> Qid:
        return tree.qid(place, self._shared)

    def _seen(self, position: Position) -> Qid:
        return self._qid(self._shared.mounts.seen(position.place))

    def _opened(self, request: Request, place: Place) -> m.Message:
        qid = self._qid(place)
        return m.Rlopen(qid, 0) if isinstance(request.message, m.Tlopen) else m.Ropen(qid, 0)


def verdict_error(kind: str, text: str, number: int) -> NetError:
    """A refused question; a query's has the prefix that the original puts before it.

    It ends at a NUL, which no string of 9P holds, and where the original cuts an error: the text
    may have the query in it, and that is anybody's.
    """
    text, _, _ = text.partition("\0")
    words = text if kind == "host" or text.startswith(f"{kind}: ") else f"{kind}: {text}"
    return NetError(words.encode()[:_ERRMAX].decode(errors="ignore"), number)


def padded(number: int) -> str:
    """A number in 12 bytes, as the files of a slot have it (ether(3))."""
    return f"{number:>11} "
