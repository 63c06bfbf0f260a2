"""One session served: a state machine that is fed bytes and pulled for events.

It knows the rules of the protocol (docs/protocol.md, section 5) and nothing of the tree. What only
the tree can decide is an `Ask`; the answer is the reply message itself, and the session draws from
it what the reply means for its fids. A flush is an event too: the tree alone knows whether a
request has left traces. Nothing here waits, and nothing here reads a clock.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import Final

from netrelay import messages as m
from netrelay.errors import CATALOGUE, DecodeError, UsageError, linux_text
from netrelay.reference.codec import decode, encode
from netrelay.reference.deframe import Deframer
from netrelay.reference.fids import Fid, Fids
from netrelay.reference.tags import Request, Tags
from netrelay.types import (
    FIRST_MSIZE,
    IOHDRSZ,
    MAX_MSIZE,
    MIN_MSIZE,
    NOFID,
    NONUNAME,
    NOTAG,
    OEXEC,
    ORDWR,
    OREAD,
    OWRITE,
    VERSIONS,
    Ask,
    Dialect,
    Event,
    FidView,
    Reset,
    Send,
    Withdraw,
)

_ERRORS: Final = (m.Rerror, m.Rlerror)
_OPENS: Final = (m.Topen, m.Tcreate, m.Tlopen, m.Tlcreate, m.Txattrcreate)
# Who Linux's client attaches as unless it is told otherwise, and next to nobody else.
_LINUX: Final = "nobody"
# The first of these that a message has is its subject.
_FIDS: Final = ("fid", "dfid", "olddirfid", "newdirfid", "dirfd")


class Refused(Exception):
    """The session itself refuses a request; `name` is the catalogue's."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.text, self.errno = CATALOGUE[name]


class ServerSession:
    """A session, from its first byte to its last.

    `max_msize` is in bytes, the other limits are counts. After `next_event` has raised, the session
    is over.
    """

    def __init__(
        self,
        *,
        max_msize: int = MAX_MSIZE,
        versions: tuple[str, ...] = VERSIONS,
        max_fids: int = 65536,
        max_requests: int = 4096,
    ) -> None:
        self.dialect = Dialect.P2000
        self.msize = FIRST_MSIZE
        self.version: str | None = None
        self._for_linux = False
        self._max_msize = max_msize
        self._versions = versions
        self._max_requests = max_requests
        self._deframer = Deframer(FIRST_MSIZE)
        self._fids = Fids(max_fids)
        self._tags = Tags()
        self._events: deque[Event] = deque()
        self._failure: DecodeError | None = None

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes as they come; can't fail."""
        self._deframer.feed(data)

    def next_event(self) -> Event | None:
        """The next thing to do, or nothing until more bytes or answers come.

        Errors: `FrameError` and `DecodeError` when the bytes are not 9P; the session is over, and
        every later call raises the same behind what was still to be sent.
        """
        while not self._events:
            if self._failure is not None:
                raise self._failure
            frame = self._deframer.next_frame()
            if frame is None:
                return None
            try:
                self._take(frame)
            except DecodeError as err:
                self._failure = err
        return self._events.popleft()

    def answer(self, tag: int, message: m.Message) -> None:
        """The tree's reply to an `Ask`.

        Errors: `UsageError` for a tag not in flight, or a reply that does not belong to it.
        """
        request = self._tags.get(tag)
        if request is None or isinstance(request.message, m.Tflush):
            raise UsageError(f"tag {tag} is not in flight")
        if isinstance(message, _ERRORS):
            frame = self._fitting(tag, self._error(*_said(message)))
            self._failed(request)
        else:
            expected = m.MESSAGES[m.TYPES[type(request.message)] + 1]
            if type(message) is not expected:
                raise UsageError(
                    f"{type(message).__name__} does not answer {type(request.message).__name__}"
                )
            message = self._with_iounit(message)
            frame = self._fitting(tag, message)
            self._succeeded(request, message)
        self._events.append(Send(frame))
        self._release(tag)

    def refuse(self, tag: int, text: str, number: int) -> None:
        """The tree says no, in words and by number."""
        self.answer(tag, m.Rerror(text, number))

    def withdraw(self, tag: int) -> None:
        """The request is undone without a trace: only its flushes are answered."""
        request = self._tags.get(tag)
        if request is None or isinstance(request.message, m.Tflush):
            raise UsageError(f"tag {tag} is not in flight")
        if not request.flushes:
            raise UsageError(f"nobody flushes tag {tag}")
        self._failed(request)
        self._release(tag)

    def fids(self) -> tuple[FidView, ...]:
        """All fids, by number: what a vanished session gives back."""
        return self._fids.views()

    def _take(self, frame: bytes) -> None:
        tag = int.from_bytes(frame[5:7], "little")
        try:
            tag, message = decode(frame, self.dialect)
        except DecodeError as err:
            if err.reason != "type" or frame[4] % 2:
                raise
            self._send(tag, self._error(*CATALOGUE["UNKNOWN_MESSAGE"]))
            return
        if m.TYPES[type(message)] % 2:
            raise DecodeError("type", "frame", str(frame[4]))
        try:
            if isinstance(message, m.Tversion):
                self._begin(tag, message)
                return
            self._admit(tag, message)
            self._request(tag, message)
        except Refused as refusal:
            self._send(tag, self._error(refusal.text, refusal.errno))

    def _begin(self, tag: int, message: m.Tversion) -> None:
        """version(5): everything from before is gone."""
        if message.msize < MIN_MSIZE:
            raise Refused("MSIZE_TOO_SMALL")
        if self.version is not None:
            self._tags.clear()
            self._fids.clear()
            self._events.append(Reset())
        msize = min(message.msize, self._max_msize)
        self.version = self._agreed(message.version)
        self._for_linux = False
        self.dialect = Dialect.of(self.version) if self.version else Dialect.P2000
        self.msize = self._deframer.msize = msize if self.version else FIRST_MSIZE
        self._send(tag, m.Rversion(msize, self.version or "unknown"))

    def _agreed(self, asked: str) -> str | None:
        parts = asked.split(".")
        # Up to any period it names a version too (version(5)): the longest that is served.
        for count in range(len(parts), 0, -1):
            if (version := ".".join(parts[:count])) in self._versions:
                return version
        return "9P2000" if parts[0] == "9P2000" else None

    def _admit(self, tag: int, message: m.Message) -> None:
        if self.version is None:
            raise Refused("NO_VERSION")
        if tag == NOTAG:
            raise Refused("BAD_TAG")
        if tag in self._tags:
            raise Refused("DUPLICATE_TAG")
        full = self._tags.requests >= self._max_requests
        if full and not isinstance(message, m.Tflush):
            raise Refused("TOO_MANY_REQUESTS")

    def _request(self, tag: int, message: m.Message) -> None:
        match message:
            case m.Tflush():
                self._flush(tag, message)
                return
            case m.Tauth():
                self._promise(message.afid)
                self._ask(tag, message, None)
                return
            case m.Tattach():
                if message.afid != NOFID:
                    self._known(message.afid)
                self._promise(message.fid)
                self._ask(tag, message, None)
                return
            case m.Twalk():
                self._walk(tag, message)
                return
        number, fid = self._subject(message)
        match message:
            case m.Topen() | m.Tcreate() | m.Tlopen() | m.Tlcreate() | m.Txattrcreate():
                if fid.open or fid.opening:
                    raise Refused("BAD_USE_OF_FID")
                fid.opening = True
            case m.Tread() | m.Treaddir():
                self._must_be_open(fid, (OREAD, ORDWR, OEXEC))
                self._check_span(message.offset, message.count)
                message = message._replace(count=min(message.count, self.msize - IOHDRSZ))
            case m.Twrite():
                self._must_be_open(fid, (OWRITE, ORDWR))
                self._check_span(message.offset, len(message.data))
            case m.Txattrwalk():
                self._promise(message.newfid)
        view = self._fids.view(number)
        if isinstance(message, m.Tclunk | m.Tremove):
            self._fids.remove(number)
        self._ask(tag, message, view, fid)

    def _walk(self, tag: int, message: m.Twalk) -> None:
        fid = self._known(message.fid)
        if message.newfid != message.fid:
            self._promise(message.newfid)
        elif fid.open or fid.opening:
            raise Refused("BAD_USE_OF_FID")
        else:
            fid.opening = True
        self._ask(tag, message, self._fids.view(message.fid), fid)

    def _flush(self, tag: int, message: m.Tflush) -> None:
        if message.oldtag == tag:
            raise Refused("DUPLICATE_TAG")
        old = self._tags.get(message.oldtag)
        if old is None:
            self._send(tag, m.Rflush())
            return
        self._tags.begin(tag, message)
        old.flushes.append(tag)
        if not isinstance(old.message, m.Tflush) and len(old.flushes) == 1:
            self._events.append(Withdraw(message.oldtag))

    def _subject(self, message: m.Message) -> tuple[int, Fid]:
        """The fid that a request is about; every other that it names must be known too."""
        named = [getattr(message, name) for name in _FIDS if hasattr(message, name)]
        for number in named[1:]:
            self._known(number)
        return named[0], self._known(named[0])

    def _known(self, number: int) -> Fid:
        fid = self._fids.get(number)
        if fid is None:
            raise Refused("UNKNOWN_FID")
        return fid

    def _promise(self, number: int) -> None:
        if number == NOFID or self._fids.taken(number):
            raise Refused("DUPLICATE_FID")
        if self._fids.full():
            raise Refused("TOO_MANY_FIDS")
        self._fids.promise(number)

    @staticmethod
    def _must_be_open(fid: Fid, modes: tuple[int, ...]) -> None:
        if fid.open is None or fid.open[1] & 3 not in modes:
            raise Refused("BAD_USE_OF_FID")

    @staticmethod
    def _check_span(offset: int, count: int) -> None:
        if offset + count >= 1 << 64:
            raise Refused("BAD_OFFSET")

    def _ask(
        self, tag: int, message: m.Message, view: FidView | None, fid: Fid | None = None
    ) -> None:
        self._tags.begin(tag, message, fid)
        self._events.append(Ask(tag, message, view))

    def _failed(self, request: Request) -> None:
        match request.message:
            case m.Tattach(fid=made) | m.Tauth(afid=made) | m.Txattrwalk(newfid=made):
                self._fids.forget(made)
            case m.Twalk(fid=fid, newfid=made) if fid != made:
                self._fids.forget(made)
        if request.fid is not None and _holds(request.message):
            request.fid.opening = False

    def _succeeded(self, request: Request, reply: m.Message) -> None:
        old = request.fid
        match request.message, reply:
            case m.Tattach() as asked, m.Rattach():
                uname = _user(asked)
                self._fids.put(asked.fid, Fid(reply.qid, reply.qid, uname))
                self._for_linux |= uname == _LINUX and self.version == "9P2000"
            case m.Tauth() as asked, m.Rauth():
                uname, opened = _user(asked), (reply.aqid, ORDWR)
                self._fids.put(asked.afid, Fid(reply.aqid, reply.aqid, uname, opened))
            case m.Twalk() as asked, m.Rwalk() if old is not None:
                self._walked(asked, reply, old)
            case m.Txattrwalk() as asked, m.Rxattrwalk() if old is not None:
                opened = (old.walked, OREAD)
                self._fids.put(asked.newfid, Fid(old.walked, old.root, old.uname, opened))
            case (m.Topen() | m.Tcreate()) as asked, (m.Ropen() | m.Rcreate()) if old is not None:
                old.open = (reply.qid, asked.mode)
            case (m.Tlopen() | m.Tlcreate()) as asked, (m.Rlopen() | m.Rlcreate()) if (
                old is not None
            ):
                old.open = (reply.qid, asked.flags & 0xFF)
            case m.Txattrcreate(), m.Rxattrcreate() if old is not None:
                old.open = (old.walked, OWRITE)
        if old is not None and _holds(request.message):
            old.opening = False
        if old is not None and isinstance(reply, m.Rcreate | m.Rlcreate):
            old.walked = reply.qid

    def _walked(self, asked: m.Twalk, reply: m.Rwalk, old: Fid) -> None:
        if len(reply.wqid) > len(asked.wname) or (asked.wname and not reply.wqid):
            raise UsageError(f"{len(reply.wqid)} qids for {len(asked.wname)} names")
        whole = len(reply.wqid) == len(asked.wname)
        walked = reply.wqid[-1] if reply.wqid else old.walked
        if asked.newfid == asked.fid:
            old.walked = walked if whole else old.walked
        elif whole:
            self._fids.put(asked.newfid, Fid(walked, old.root, old.uname))
        else:
            self._fids.forget(asked.newfid)

    def _with_iounit(self, reply: m.Message) -> m.Message:
        match reply:
            case m.Ropen() | m.Rcreate() | m.Rlopen() | m.Rlcreate():
                return reply._replace(iounit=self.msize - IOHDRSZ)
        return reply

    def _error(self, text: str, number: int) -> m.Message:
        match self.dialect:
            case Dialect.L:
                return m.Rlerror(number or errno.EIO)
            case Dialect.U:
                return m.Rerror(text, number or errno.EIO)
        return m.Rerror(linux_text(number) if self._for_linux else text, 0)

    def _fitting(self, tag: int, reply: m.Message) -> bytes:
        frame = encode(tag, reply, self.dialect)
        if len(frame) > self.msize:
            raise UsageError(f"reply of {len(frame)} bytes exceeds msize {self.msize}")
        return frame

    def _release(self, tag: int) -> None:
        for flush in self._tags.end(tag):
            self._send(flush, m.Rflush())

    def _send(self, tag: int, reply: m.Message) -> None:
        self._events.append(Send(encode(tag, reply, self.dialect)))


def _said(error: m.Rerror | m.Rlerror) -> tuple[str, int]:
    """The text and number of a refusal in either form."""
    if isinstance(error, m.Rerror):
        return error.ename, error.errno
    return f"error {error.ecode}", error.ecode


def _user(asked: m.Tattach | m.Tauth) -> str:
    """Who has no name is called by number, and who has none either `none`."""
    return asked.uname or ("none" if asked.n_uname == NONUNAME else str(asked.n_uname))


def _holds(request: m.Message) -> bool:
    """Whether a request changes its own fid: another such one meanwhile is a bad use of it."""
    in_place = isinstance(request, m.Twalk) and request.fid == request.newfid
    return in_place or isinstance(request, _OPENS)
