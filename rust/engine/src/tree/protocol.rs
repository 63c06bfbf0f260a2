//! The protocols that are served, as a table: a row is all that the tree knows of one.
//!
//! Listings, walks and opens follow from it. What the conversations of a protocol do is in
//! [`crate::net`], in a file of its own.

use std::borrow::Cow;

use super::qid::File;

/// A directory of `/net`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Protocol {
    /// Byte streams.
    Tcp,
    /// Datagrams.
    Udp,
    /// The host's interfaces, of which Python tells.
    Ipifc,
    /// Whole packets of ICMP.
    Icmp,
    /// The same of IPv6.
    Icmpv6,
    /// Packets with a protocol in them.
    Gre,
    /// Whole IP packets of other protocols than the host's.
    Ipmux,
    /// Packets of security associations.
    Esp,
    /// Messages, reliable and in order.
    Il,
    /// Frames of the interface of that number.
    Ether(u8),
}

impl Protocol {
    /// Those that every stack has, in directory order.
    /// Interfaces that give their frames away come behind them.
    pub(crate) const ALL: [Self; 9] = [
        Self::Tcp,
        Self::Udp,
        Self::Ipifc,
        Self::Icmp,
        Self::Icmpv6,
        Self::Gre,
        Self::Ipmux,
        Self::Esp,
        Self::Il,
    ];

    /// The protocol of a qid's number.
    pub(crate) fn of(number: u8) -> Option<Self> {
        let ether = number.checked_sub(ETHER).map(Self::Ether);
        ether.or_else(|| Self::ALL.into_iter().find(|protocol| protocol.number() == number))
    }

    /// Its number in a qid.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Tcp => 0,
            Self::Udp => 1,
            Self::Ipifc => 2,
            Self::Icmp => 3,
            Self::Icmpv6 => 4,
            Self::Gre => 5,
            Self::Ipmux => 6,
            Self::Esp => 7,
            Self::Il => 8,
            Self::Ether(number) => ETHER + number,
        }
    }

    /// Its directory's name.
    pub(crate) fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Ipifc => "ipifc",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Gre => "gre",
            Self::Ipmux => "ipmux",
            Self::Esp => "esp",
            Self::Il => "il",
            Self::Ether(number) => return format!("ether{number}").into(),
        })
    }

    /// Whether its directories are what the host has: nobody makes one, and Python has the texts.
    pub(crate) fn of_host(self) -> bool {
        self == Self::Ipifc
    }

    /// Whether data is a stream of bytes, of which a part can be carried out before the rest is
    /// there.
    pub(crate) fn streams(self) -> bool {
        self == Self::Tcp
    }

    /// Whether Twrites of one size that came together may be carried out together: none of them
    /// waits, and the host takes several at once.
    pub(crate) fn takes_runs(self) -> bool {
        self == Self::Udp
    }

    /// Whether its directory is an interface's, and its conversations are slots.
    pub(crate) fn frames(self) -> bool {
        matches!(self, Self::Ether(_))
    }

    /// What ctl reads as, of the conversation of that number.
    pub(crate) fn number_text(self, number: u32) -> String {
        if self.frames() { format!("{number:>11} ") } else { number.to_string() }
    }

    /// That file of a conversation, if it has one.
    pub(crate) fn file(self, file: File) -> Option<File> {
        self.files().contains(&file).then_some(file)
    }

    /// The files of a conversation, in directory order.
    pub(crate) fn files(self) -> &'static [File] {
        match self {
            Self::Ipifc => &INTERFACE,
            Self::Ether(_) => &SLOT,
            _ => &CONVERSATION,
        }
    }
}

const CONVERSATION: [File; 7] =
    [File::Ctl, File::Data, File::Err, File::Listen, File::Local, File::Remote, File::Status];

const INTERFACE: [File; 8] = [
    File::Ctl,
    File::Data,
    File::Err,
    File::Listen,
    File::Local,
    File::Remote,
    File::Status,
    File::Snoop,
];

/// Without those that a slot shares with the others.
const SLOT: [File; 3] = [File::Data, File::Ctl, File::Type];

/// The number of `ether0` in a qid.
const ETHER: u8 = 64;
