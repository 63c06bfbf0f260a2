//! The three languages of a session, and how a version string chooses one.

/// Which of the three languages a session speaks.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Dialect {
    /// `9P2000`, and `9P2000.netrelay`, which is the same on the wire.
    #[default]
    P2000,
    /// `9P2000.u`: Unix attributes and errno beside the text.
    U,
    /// `9P2000.L`: the Linux messages, errno instead of the text.
    L,
}

/// The version string that promises a window (docs/protocol.md, section 6).
pub const WINDOWED: &str = "9P2000.netrelay";
/// The version string that every server knows.
pub const PLAIN: &str = "9P2000";

impl Dialect {
    /// The dialect of an agreed version string.
    pub fn of(version: &str) -> Self {
        match version {
            "9P2000.u" => Self::U,
            "9P2000.L" => Self::L,
            _ => Self::P2000,
        }
    }
}

/// Every version served and offered.
pub const VERSIONS: [&str; 4] = [PLAIN, WINDOWED, "9P2000.u", "9P2000.L"];

/// The version that a server of `served` answers to `asked`; none is `unknown`.
///
/// Up to any period it names a version too (version(5)): the answer is the longest that is served,
/// which is how a client learns that the server does not know the rest.
pub fn negotiate<'v>(asked: &str, served: &'v [String]) -> Option<&'v str> {
    let find = |wanted: &str| served.iter().find(|each| *each == wanted).map(String::as_str);
    let mut named = asked;
    loop {
        if let Some(version) = find(named) {
            return Some(version);
        }
        match named.rsplit_once('.') {
            Some((before, _)) => named = before,
            None => return if named == PLAIN { Some(PLAIN) } else { None },
        }
    }
}
