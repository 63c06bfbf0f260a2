//! What can go wrong, typed by whose fault it is, and every text that leaves a gateway.
//!
//! Clients branch on these texts, so they are API: the catalogue is rendered to docs/errors.md, and a
//! test compares it with `netrelay.errors`. The words follow the original system: dial(2) looks for
//! `refused`, `interrupted`, `does not exist`, `translate`.

use std::borrow::Cow;
use std::fmt;

/// The bytes can't be cut into frames: they are not 9P. The session is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FrameError {
    /// The size is below that of a header.
    TooShort {
        /// What the frame says of itself.
        size: u32,
    },
    /// The size is above what was agreed.
    TooLong {
        /// What the frame says of itself.
        size: u32,
        /// The largest allowed now.
        msize: u32,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { size } => {
                write!(f, "frame of {size} bytes is shorter than its header")
            }
            Self::TooLong { size, msize } => {
                write!(f, "frame of {size} bytes exceeds msize {msize}")
            }
        }
    }
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The body ends inside the field.
    Short,
    /// Bytes are left after the last field.
    Trailing,
    /// A string is not UTF-8.
    Utf8,
    /// A string holds a NUL.
    Nul,
    /// More than 16 names or qids.
    Count,
    /// A stat record's sizes contradict each other.
    Stat,
    /// A message type that the dialect lacks.
    Type,
}

impl Reason {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Trailing => "trailing",
            Self::Utf8 => "utf8",
            Self::Nul => "nul",
            Self::Count => "count",
            Self::Stat => "stat",
            Self::Type => "type",
        }
    }
}

/// A frame's body does not fit its type: it is not 9P.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DecodeError {
    /// What is wrong.
    pub reason: Reason,
    /// The message, as in the manual, or `frame`.
    pub message: &'static str,
    /// The field; for [`Reason::Type`] the type's number.
    pub field: Cow<'static, str>,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}.{}", self.reason.word(), self.message, self.field)
    }
}

/// The other side speaks 9P but breaks its rules, or speaks none. The session is over.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PeerError {
    /// A reply with a tag that nothing waits on.
    NoRequest {
        /// What came.
        reply: &'static str,
        /// That tag.
        tag: u16,
    },
    /// A reply of another type than asked for.
    WrongReply {
        /// What came.
        reply: &'static str,
        /// What it claims to answer.
        request: &'static str,
    },
    /// A reply before the version is agreed.
    BeforeVersion(&'static str),
    /// An Rversion that raises msize, or lowers it below use.
    BadMsize(u32),
    /// An Rversion that names a version not offered.
    BadVersion(String),
    /// The server refused to agree on a version, and this is why.
    VersionRefused(String),
    /// What came is no 9P.
    Decode(DecodeError),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRequest { reply, tag } => {
                write!(f, "{reply} for tag {tag}, which is not in flight")
            }
            Self::WrongReply { reply, request } => write!(f, "{reply} answers {request}"),
            Self::BeforeVersion(reply) => write!(f, "{reply} before Rversion"),
            Self::BadMsize(msize) => write!(f, "nonsense value of msize: {msize}"),
            Self::BadVersion(version) => write!(f, "version {version} was not offered"),
            Self::VersionRefused(why) => write!(f, "version refused: {why}"),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Our own API was misused: a bug in the caller, never sent.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum UsageError {
    /// An answer for a tag that is not in flight.
    NotInFlight {
        /// That tag.
        tag: u16,
    },
    /// An answer whose type does not match its request.
    WrongReply {
        /// The answer.
        reply: &'static str,
        /// The request.
        request: &'static str,
    },
    /// A withdrawal that no Tflush has asked for.
    NotFlushed {
        /// The tag of the request.
        tag: u16,
    },
    /// An Rwalk that does not fit its Twalk.
    WrongQids {
        /// Qids it has.
        qids: usize,
        /// Names that were asked for.
        names: u8,
    },
    /// A message that is no request, or one with a call of its own.
    NoRequest(&'static str),
    /// A message that can't be sent.
    TooBig(FrameTooBig),
    /// Every tag is in use.
    NoTag,
    /// A request before the version is agreed.
    NoVersion,
    /// A text that does not parse.
    Text {
        /// Bytes from its begin.
        place: usize,
        /// What was expected there.
        expected: &'static str,
    },
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInFlight { tag } => write!(f, "tag {tag} is not in flight"),
            Self::WrongReply { reply, request } => write!(f, "{reply} does not answer {request}"),
            Self::NotFlushed { tag } => write!(f, "nobody flushes tag {tag}"),
            Self::WrongQids { qids, names } => write!(f, "{qids} qids for {names} names"),
            Self::NoRequest(name) => write!(f, "{name} is not for request()"),
            Self::TooBig(error) => error.fmt(f),
            Self::NoTag => f.write_str("no tag is free"),
            Self::NoVersion => f.write_str("no version agreed yet"),
            Self::Text { place, expected } => {
                write!(f, "column {}: {expected} expected", place + 1)
            }
        }
    }
}

impl From<FrameTooBig> for UsageError {
    fn from(error: FrameTooBig) -> Self {
        Self::TooBig(error)
    }
}

/// A message that does not fit a frame, or a string or record that does not fit its length field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FrameTooBig {
    /// Bytes it has.
    pub size: usize,
    /// Bytes it may have.
    pub limit: u32,
}

impl fmt::Display for FrameTooBig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes where {} fit", self.size, self.limit)
    }
}

impl std::error::Error for FrameError {}
impl std::error::Error for DecodeError {}
impl std::error::Error for PeerError {}
impl std::error::Error for UsageError {}
impl std::error::Error for FrameTooBig {}

/// Why a request is refused: what an Rerror says, and the number that goes with it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// The text of an Rerror.
    pub text: Cow<'static, str>,
    /// Linux's number, for 9P2000.u and 9P2000.L.
    pub errno: u32,
}

impl Refusal {
    /// A refusal in words that are not in the catalogue, such as Python's answer to an upcall.
    pub fn new(text: impl Into<Cow<'static, str>>, errno: u32) -> Self {
        Self { text: text.into(), errno }
    }
}

macro_rules! catalogue {
    ($($name:ident = $errno:literal $text:literal,)*) => {
        #[allow(missing_docs, reason = "the text is the doc")]
        impl Refusal {
            $(pub const $name: Self = Self { text: Cow::Borrowed($text), errno: $errno };)*

            /// Every refusal with a fixed text, by the name of its constant.
            pub const CATALOGUE: &'static [(&'static str, Self)] =
                &[$((stringify!($name), Self::$name),)*];
        }
    };
}

catalogue! {
    PERMISSION_DENIED = 13 "permission denied",
    FILE_DOES_NOT_EXIST = 2 "file does not exist",
    NOT_A_DIRECTORY = 20 "not a directory",
    BAD_DIRECTORY_OFFSET = 29 "bad offset in directory read",
    NO_VERSION = 71 "no version negotiated",
    MSIZE_TOO_SMALL = 22 "version: message size too small",
    UNKNOWN_MESSAGE = 95 "unknown message type",
    DUPLICATE_TAG = 71 "duplicate tag",
    TOO_MANY_REQUESTS = 11 "too many requests",
    BAD_TAG = 71 "bad tag",
    UNKNOWN_FID = 9 "unknown fid",
    DUPLICATE_FID = 9 "duplicate fid",
    TOO_MANY_FIDS = 24 "too many fids",
    BAD_USE_OF_FID = 9 "bad use of fid",
    BAD_OFFSET = 22 "bad offset",
    NO_AUTHENTICATION = 2 "authentication not required",
    NO_FREE_DEVICES = 23 "no free devices",
    NOT_ANNOUNCED = 22 "not announced",
    LISTEN_HUNGUP = 103 "listen hungup",
    INTERRUPTED = 4 "interrupted",
    HUNGUP = 32 "i/o on hungup channel",
    IO = 5 "i/o error",
    REFUSED = 111 "connection refused",
    RESET = 104 "connection refused",
    TIMED_OUT = 110 "connection timed out",
    CONNECTION_REJECTED = 111 "connection rejected",
    REMOTE_CLOSE = 104 "remote close",
    NO_ROUTE = 101 "no route",
    HOST_UNREACHABLE = 113 "host unreachable",
    ADDRESS_IN_USE = 98 "address in use",
    NOT_LOCAL = 99 "not a local IP address",
    NO_PORTS = 99 "no ports available",
    SHORT_CONTROL = 22 "short control request",
    UNKNOWN_CONTROL = 22 "unknown control request",
    CONNECTION_IN_USE = 98 "connection in use",
    BAD_ARGS_TO_CONNECT = 22 "bad args to connect",
    BAD_ARGS_TO_ANNOUNCE = 22 "bad args to announce",
    BAD_ARGS_TO_BIND = 22 "bad args to bind",
    BAD_ARGS_TO_SHUTDOWN = 22 "bad args to shutdown",
    BAD_ARGS_TO_KEEPALIVE = 22 "bad args to keepalive",
    BAD_ARGS_TO_TTL = 22 "bad args to ttl",
    BAD_ARGS_TO_TOS = 22 "bad args to tos",
    MALFORMED_ADDRESS = 22 "malformed address",
    BAD_IP = 22 "bad ip address syntax",
    BAD_PORT = 22 "bad numeric port",
    NOT_ESTABLISHED = 22 "connection must be in Establised state",
    WRITE_QUEUE_FULL = 105 "write queue full",
    TOO_LARGE = 90 "read or write too large",
    TOO_SMALL = 22 "read or write too small",
    ADDMULTI_NEEDS_INTERFACE = 22 "addmulti needs interface address",
    DELMULTI_NEEDS_INTERFACE = 22 "delmulti needs interface address",
    NOT_MULTICAST = 22 "addmulti for a non multicast address",
    INCOMPATIBLE_MULTICAST = 22 "incompatible multicast/interface ip address",
    NET_UNREACHABLE = 101 "net unreachable",
    PROTOCOL_UNREACHABLE = 92 "protocol unreachable",
    PORT_UNREACHABLE = 111 "port unreachable",
    SOURCE_ROUTE_FAILED = 95 "source route failed",
    NETWORK_UNKNOWN = 101 "destination network unknown",
    HOST_UNKNOWN = 112 "destination host unknown",
    HOST_ISOLATED = 64 "source host isolated",
    NETWORK_PROHIBITED = 101 "network administratively prohibited",
    HOST_PROHIBITED = 113 "host administratively prohibited",
    NETWORK_UNREACHABLE_FOR_TOS = 101 "network unreachable for tos",
    HOST_UNREACHABLE_FOR_TOS = 113 "host unreachable for tos",
    COMMUNICATION_PROHIBITED = 113 "communication administratively prohibited",
    PRECEDENCE_VIOLATION = 113 "host precedence violation",
    PRECEDENCE_CUTOFF = 113 "precedence cutoff in effect",
    TTL_EXCEEDED = 113 "ttl exceeded",
    IP_FOUR_ONLY = 22 "only IP version 4 supported",
    FRAG_TIME_EXCEEDED = 113 "frag time exceeded",
    NO_ROUTE_TO_DESTINATION = 101 "no route to destination",
    DESTINATION_PROHIBITED = 113 "comm with destination administratively prohibited",
    BEYOND_SCOPE = 113 "beyond scope of source address",
    ADDRESS_UNREACHABLE = 113 "address unreachable",
    SOURCE_FAILED_POLICY = 113 "source address failed ingress/egress policy",
    ROUTE_REJECTED = 113 "reject route to destination",
    UNKNOWN_CODE = 113 "icmp unreachable: unknown code",
    GRE_ANNOUNCE = 95 "gre does not support announce",
    ALREADY_CONNECTED = 98 "already connected to that addr/proto",
    INCORRECT_NUMBER = 22 "incorrect number of arguments",
    NO_SUCH_COMMAND = 22 "no such command",
    IPMUX_ANNOUNCE = 95 "ipmux does not support announce",
    NO_ANNOUNCE = 95 "announce not supported",
    BAD_FORMAT = 22 "bad format",
    UNKNOWN_ALGORITHM = 22 "unknown algorithm",
    KEY_LENGTH = 22 "key not required length",
    KEY_NOT_HEX = 22 "non-hex character in key",
    BAD_ARG = 22 "bad arg in system call",
    BAD_CONTROL = 22 "bad process or channel control request",
    IN_USE = 16 "device or object already in use",
    BAD_ADDRESS = 22 "bad address",
    BAD_ARP = 22 "bad arp",
    NO_INTERFACE = 19 "no interface",
    DESTINATION_UNREACHABLE = 113 "destination unreachable",
    INTERFACE_NOT_FOUND = 19 "interface not found",
    INTERFACE_BOUND = 16 "interface already bound",
    INTERFACE_NOT_BOUND = 19 "interface not bound",
    UNKNOWN_INTERFACE_TYPE = 22 "unknown interface type",
    NOT_ON_INTERFACE = 99 "address not on this interface",
    UNSUPPORTED_CTL = 95 "unsupported ctl",
    CS_IN_PROGRESS = 16 "cs: query already in progress",
    DNS_IN_PROGRESS = 16 "dns: query already in progress",
    CS_TOO_LONG = 22 "cs: request too long",
    DNS_TOO_LONG = 22 "dns: request too long",
    DNS_OFFSET = 22 "dns: writing at non-zero offset",
    LOG_TOO_FEW = 22 "too few arguments for netlog control message",
    LOG_UNKNOWN = 22 "unknown ip control message",
}

/// What a refusal says to Linux where only words go, in plain 9P2000: its client makes the errno of the
/// words and knows these for the number (net/9p/error.c). It has none for 98 and 99, whose texts here
/// are its words for EBUSY and ENXIO.
pub const LINUX_TEXTS: &[(u32, &str)] = &[
    (2, "No such file or directory"),
    (4, "Interrupted system call"),
    (5, "Input/output error"),
    (9, "Bad file descriptor"),
    (11, "Resource temporarily unavailable"),
    (13, "Permission denied"),
    (16, "Device or resource busy"),
    (19, "No such device"),
    (20, "Not a directory"),
    (22, "Invalid argument"),
    (23, "Too many open files in system"),
    (24, "Too many open files"),
    (29, "Illegal seek"),
    (32, "Broken pipe"),
    (64, "Machine is not on the network"),
    (71, "Protocol error"),
    (90, "Message too long"),
    (92, "Protocol not available"),
    (95, "Operation not supported"),
    (98, "Device or resource busy"),
    (99, "No such device or address"),
    (101, "Network is unreachable"),
    (103, "Software caused connection abort"),
    (104, "Connection reset by peer"),
    (105, "No buffer space available"),
    (110, "Connection timed out"),
    (111, "Connection refused"),
    (112, "Host is down"),
    (113, "No route to host"),
];

/// EIO, for what has no number of its own.
pub(crate) const EIO: u32 = 5;

/// What Linux's client is told for an errno in plain 9P2000.
pub fn linux_text(errno: u32) -> &'static str {
    let known = LINUX_TEXTS.iter().find(|(number, _)| *number == errno);
    known.map_or("Input/output error", |(_, text)| text)
}
