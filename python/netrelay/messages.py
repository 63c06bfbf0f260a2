"""One tuple a message, fields in wire order (intro(5), the 9P2000.u and 9P2000.L documents).

Fields that only some dialects send come last and have defaults. `Payload` is any buffer:
encoding takes bytes or a view, decoding gives a view of the frame.

The file is long because 9P has some sixty messages, and they are one idea: a reader looks for one
by its name and finds its fields where all the others are.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from netrelay.types import NONUNAME, Qid, Stat

Payload = bytes | bytearray | memoryview


class Tversion(NamedTuple):
    """Offer a dialect and the largest frame."""

    msize: int
    version: str


class Rversion(NamedTuple):
    """The dialect and msize agreed, or `unknown`."""

    msize: int
    version: str


class Tauth(NamedTuple):
    """Begin to authenticate on `afid`."""

    afid: int
    uname: str
    aname: str
    n_uname: int = NONUNAME


class Rauth(NamedTuple):
    """The afid is open."""

    aqid: Qid


class Tattach(NamedTuple):
    """Enter the tree named `aname` as `uname`."""

    fid: int
    afid: int
    uname: str
    aname: str
    n_uname: int = NONUNAME


class Rattach(NamedTuple):
    """The root of the tree."""

    qid: Qid


class Rerror(NamedTuple):
    """Refused, and why; `errno` is sent in 9P2000.u only."""

    ename: str
    errno: int = 0


class Tflush(NamedTuple):
    """Take a request back."""

    oldtag: int


class Rflush(NamedTuple):
    """Nothing more will come for it."""


class Twalk(NamedTuple):
    """Walk from `fid` by names to `newfid`."""

    fid: int
    newfid: int
    wname: tuple[str, ...]


class Rwalk(NamedTuple):
    """A qid a name walked."""

    wqid: tuple[Qid, ...]


class Topen(NamedTuple):
    """Open for I/O."""

    fid: int
    mode: int


class Ropen(NamedTuple):
    """Open; `qid` is that of the file it became."""

    qid: Qid
    iounit: int


class Tcreate(NamedTuple):
    """Make a file and open it."""

    fid: int
    name: str
    perm: int
    mode: int
    extension: str = ""


class Rcreate(NamedTuple):
    """Made and open."""

    qid: Qid
    iounit: int


class Tread(NamedTuple):
    """Ask for bytes."""

    fid: int
    offset: int
    count: int  # type: ignore[assignment]  # the manual's word, and tuple.count is not wanted


class Rread(NamedTuple):
    """Bytes; none is the end of the file."""

    data: Payload


class Twrite(NamedTuple):
    """Bytes for the file."""

    fid: int
    offset: int
    data: Payload


class Rwrite(NamedTuple):
    """How many were taken."""

    count: int  # type: ignore[assignment]  # the manual's word, and tuple.count is not wanted


class Tclunk(NamedTuple):
    """Give the fid back."""

    fid: int


class Rclunk(NamedTuple):
    """It is gone."""


class Tremove(NamedTuple):
    """Remove the file and give the fid back."""

    fid: int


class Rremove(NamedTuple):
    """Both are gone."""


class Tstat(NamedTuple):
    """Ask for the stat record."""

    fid: int


class Rstat(NamedTuple):
    """The stat record."""

    stat: Stat


class Twstat(NamedTuple):
    """Change what the record says."""

    fid: int
    stat: Stat


class Rwstat(NamedTuple):
    """Changed."""


class Rlerror(NamedTuple):
    """Refused, by a Linux errno."""

    ecode: int


class Tstatfs(NamedTuple):
    """Tstatfs of 9P2000.L."""

    fid: int


class Rstatfs(NamedTuple):
    """Rstatfs of 9P2000.L."""

    type: int
    bsize: int
    blocks: int
    bfree: int
    bavail: int
    files: int
    ffree: int
    fsid: int
    namelen: int


class Tlopen(NamedTuple):
    """Tlopen of 9P2000.L."""

    fid: int
    flags: int


class Rlopen(NamedTuple):
    """Rlopen of 9P2000.L."""

    qid: Qid
    iounit: int


class Tlcreate(NamedTuple):
    """Tlcreate of 9P2000.L."""

    fid: int
    name: str
    flags: int
    mode: int
    gid: int


class Rlcreate(NamedTuple):
    """Rlcreate of 9P2000.L."""

    qid: Qid
    iounit: int


class Tsymlink(NamedTuple):
    """Tsymlink of 9P2000.L."""

    fid: int
    name: str
    symtgt: str
    gid: int


class Rsymlink(NamedTuple):
    """Rsymlink of 9P2000.L."""

    qid: Qid


class Tmknod(NamedTuple):
    """Tmknod of 9P2000.L."""

    dfid: int
    name: str
    mode: int
    major: int
    minor: int
    gid: int


class Rmknod(NamedTuple):
    """Rmknod of 9P2000.L."""

    qid: Qid


class Trename(NamedTuple):
    """Trename of 9P2000.L."""

    fid: int
    dfid: int
    name: str


class Rrename(NamedTuple):
    """Rrename of 9P2000.L."""


class Treadlink(NamedTuple):
    """Treadlink of 9P2000.L."""

    fid: int


class Rreadlink(NamedTuple):
    """Rreadlink of 9P2000.L."""

    target: str


class Tgetattr(NamedTuple):
    """Tgetattr of 9P2000.L."""

    fid: int
    request_mask: int


class Rgetattr(NamedTuple):
    """Rgetattr of 9P2000.L."""

    valid: int
    qid: Qid
    mode: int
    uid: int
    gid: int
    nlink: int
    rdev: int
    size: int
    blksize: int
    blocks: int
    atime_sec: int
    atime_nsec: int
    mtime_sec: int
    mtime_nsec: int
    ctime_sec: int
    ctime_nsec: int
    btime_sec: int
    btime_nsec: int
    gen: int
    data_version: int


class Tsetattr(NamedTuple):
    """Tsetattr of 9P2000.L."""

    fid: int
    valid: int
    mode: int
    uid: int
    gid: int
    size: int
    atime_sec: int
    atime_nsec: int
    mtime_sec: int
    mtime_nsec: int


class Rsetattr(NamedTuple):
    """Rsetattr of 9P2000.L."""


class Txattrwalk(NamedTuple):
    """Txattrwalk of 9P2000.L."""

    fid: int
    newfid: int
    name: str


class Rxattrwalk(NamedTuple):
    """Rxattrwalk of 9P2000.L."""

    size: int


class Txattrcreate(NamedTuple):
    """Txattrcreate of 9P2000.L."""

    fid: int
    name: str
    attr_size: int
    flags: int


class Rxattrcreate(NamedTuple):
    """Rxattrcreate of 9P2000.L."""


class Treaddir(NamedTuple):
    """Treaddir of 9P2000.L."""

    fid: int
    offset: int
    count: int  # type: ignore[assignment]  # the manual's word, and tuple.count is not wanted


class Rreaddir(NamedTuple):
    """Rreaddir of 9P2000.L."""

    data: Payload


class Tfsync(NamedTuple):
    """Tfsync of 9P2000.L."""

    fid: int
    datasync: int = 0


class Rfsync(NamedTuple):
    """Rfsync of 9P2000.L."""


class Tlock(NamedTuple):
    """Tlock of 9P2000.L."""

    fid: int
    type: int
    flags: int
    start: int
    length: int
    proc_id: int
    client_id: str


class Rlock(NamedTuple):
    """Rlock of 9P2000.L."""

    status: int


class Tgetlock(NamedTuple):
    """Tgetlock of 9P2000.L."""

    fid: int
    type: int
    start: int
    length: int
    proc_id: int
    client_id: str


class Rgetlock(NamedTuple):
    """Rgetlock of 9P2000.L."""

    type: int
    start: int
    length: int
    proc_id: int
    client_id: str


class Tlink(NamedTuple):
    """Tlink of 9P2000.L."""

    dfid: int
    fid: int
    name: str


class Rlink(NamedTuple):
    """Rlink of 9P2000.L."""


class Tmkdir(NamedTuple):
    """Tmkdir of 9P2000.L."""

    dfid: int
    name: str
    mode: int
    gid: int


class Rmkdir(NamedTuple):
    """Rmkdir of 9P2000.L."""

    qid: Qid


class Trenameat(NamedTuple):
    """Trenameat of 9P2000.L."""

    olddirfid: int
    oldname: str
    newdirfid: int
    newname: str


class Rrenameat(NamedTuple):
    """Rrenameat of 9P2000.L."""


class Tunlinkat(NamedTuple):
    """Tunlinkat of 9P2000.L."""

    dirfd: int
    name: str
    flags: int


class Runlinkat(NamedTuple):
    """Runlinkat of 9P2000.L."""


Message = (
    Tversion
    | Rversion
    | Tauth
    | Rauth
    | Tattach
    | Rattach
    | Rerror
    | Tflush
    | Rflush
    | Twalk
    | Rwalk
    | Topen
    | Ropen
    | Tcreate
    | Rcreate
    | Tread
    | Rread
    | Twrite
    | Rwrite
    | Tclunk
    | Rclunk
    | Tremove
    | Rremove
    | Tstat
    | Rstat
    | Twstat
    | Rwstat
    | Rlerror
    | Tstatfs
    | Rstatfs
    | Tlopen
    | Rlopen
    | Tlcreate
    | Rlcreate
    | Tsymlink
    | Rsymlink
    | Tmknod
    | Rmknod
    | Trename
    | Rrename
    | Treadlink
    | Rreadlink
    | Tgetattr
    | Rgetattr
    | Tsetattr
    | Rsetattr
    | Txattrwalk
    | Rxattrwalk
    | Txattrcreate
    | Rxattrcreate
    | Treaddir
    | Rreaddir
    | Tfsync
    | Rfsync
    | Tlock
    | Rlock
    | Tgetlock
    | Rgetlock
    | Tlink
    | Rlink
    | Tmkdir
    | Rmkdir
    | Trenameat
    | Rrenameat
    | Tunlinkat
    | Runlinkat
)

MESSAGES: Final[dict[int, type[Message]]] = {
    100: Tversion,
    101: Rversion,
    102: Tauth,
    103: Rauth,
    104: Tattach,
    105: Rattach,
    107: Rerror,
    108: Tflush,
    109: Rflush,
    110: Twalk,
    111: Rwalk,
    112: Topen,
    113: Ropen,
    114: Tcreate,
    115: Rcreate,
    116: Tread,
    117: Rread,
    118: Twrite,
    119: Rwrite,
    120: Tclunk,
    121: Rclunk,
    122: Tremove,
    123: Rremove,
    124: Tstat,
    125: Rstat,
    126: Twstat,
    127: Rwstat,
    7: Rlerror,
    8: Tstatfs,
    9: Rstatfs,
    12: Tlopen,
    13: Rlopen,
    14: Tlcreate,
    15: Rlcreate,
    16: Tsymlink,
    17: Rsymlink,
    18: Tmknod,
    19: Rmknod,
    20: Trename,
    21: Rrename,
    22: Treadlink,
    23: Rreadlink,
    24: Tgetattr,
    25: Rgetattr,
    26: Tsetattr,
    27: Rsetattr,
    30: Txattrwalk,
    31: Rxattrwalk,
    32: Txattrcreate,
    33: Rxattrcreate,
    40: Treaddir,
    41: Rreaddir,
    50: Tfsync,
    51: Rfsync,
    52: Tlock,
    53: Rlock,
    54: Tgetlock,
    55: Rgetlock,
    70: Tlink,
    71: Rlink,
    72: Tmkdir,
    73: Rmkdir,
    74: Trenameat,
    75: Rrenameat,
    76: Tunlinkat,
    77: Runlinkat,
}
TYPES: Final[dict[type[Message], int]] = {message: number for number, message in MESSAGES.items()}
