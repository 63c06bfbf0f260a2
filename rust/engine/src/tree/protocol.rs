//! The protocols that are served, as a table: a row is all that the tree knows of one.
//!
//! Listings, walks and opens follow from it. What the conversations of a protocol do is in
//! [`crate::net`], in a file of its own.

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
}

impl Protocol {
    /// They, in directory order.
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
        Self::ALL.into_iter().find(|protocol| protocol.number() == number)
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
        }
    }

    /// Its directory's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Ipifc => "ipifc",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
            Self::Gre => "gre",
            Self::Ipmux => "ipmux",
            Self::Esp => "esp",
            Self::Il => "il",
        }
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

    /// That file of a conversation, if it has one.
    pub(crate) fn file(self, file: File) -> Option<File> {
        self.files().contains(&file).then_some(file)
    }

    /// The files of a conversation, in directory order.
    pub(crate) fn files(self) -> &'static [File] {
        match self {
            Self::Ipifc => &INTERFACE,
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
