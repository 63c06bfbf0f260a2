//! The texts of stats of icmp and icmpv6: the host's counts in the original's words (ip(3)).

use std::fmt::Write as _;

use crate::net::snmp;

/// Of icmp; `snmp` is that file of `/proc/net`.
pub(crate) fn text(snmp: &str) -> String {
    let mut text = String::new();
    for (name, theirs) in COUNTS {
        let count = theirs.map_or(0, |theirs| snmp::value(snmp, "Icmp", theirs));
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {count}");
    }
    for (number, name) in TYPES.into_iter().enumerate() {
        let count = |way: &str| snmp::value(snmp, "IcmpMsg", &format!("{way}Type{number}"));
        let _ = writeln!(text, "{name}: {} {}", count("In"), count("Out"));
    }
    text
}

/// Of icmpv6; `snmp6` is empty on a host without IPv6.
pub(crate) fn text_six(snmp6: &str) -> String {
    let mut text = String::new();
    for (name, theirs) in COUNTS.into_iter().chain(COUNTS_SIX.map(|name| (name, None))) {
        let count = theirs.map_or(0, |theirs| snmp::value_six(snmp6, "Icmp6", theirs));
        let _ = writeln!(text, "{name}: {count}");
    }
    for (number, name) in TYPES_SIX {
        let count = |way: &str| snmp::value_six(snmp6, "Icmp6", &format!("{way}Type{number}"));
        let _ = writeln!(text, "{name}: {} {}", count("In"), count("Out"));
    }
    text
}

/// What there is of both, and the host's name for it; the host counts no other flaws.
const COUNTS: [(&str, Option<&str>); 6] = [
    ("InMsgs", Some("InMsgs")),
    ("InErrors", Some("InErrors")),
    ("OutMsgs", Some("OutMsgs")),
    ("CsumErrs", Some("InCsumErrors")),
    ("LenErrs", None),
    ("HlenErrs", None),
];

const COUNTS_SIX: [&str; 6] =
    ["HoplimErrs", "IcmpCodeErrs", "TargetErrs", "OptlenErrs", "AddrmxpErrs", "RouterAddrErrs"];

const TYPES: [&str; 19] = [
    "EchoReply",
    "1",
    "2",
    "Unreachable",
    "SrcQuench",
    "Redirect",
    "6",
    "7",
    "EchoRequest",
    "9",
    "10",
    "TimeExceed",
    "InParmProblem",
    "Timestamp",
    "TimestampReply",
    "InfoRequest",
    "InfoReply",
    "AddrMaskRequest",
    "AddrMaskReply",
];

const TYPES_SIX: [(u8, &str); 22] = [
    (0, "EchoReply"),
    (1, "UnreachableV6"),
    (2, "PacketTooBigV6"),
    (3, "TimeExceedV6"),
    (4, "SrcQuench"),
    (5, "Redirect"),
    (8, "EchoRequest"),
    (11, "TimeExceed"),
    (12, "InParmProblem"),
    (13, "Timestamp"),
    (14, "TimestampReply"),
    (15, "InfoRequest"),
    (16, "InfoReply"),
    (17, "AddrMaskRequest"),
    (18, "AddrMaskReply"),
    (128, "EchoRequestV6"),
    (129, "EchoReplyV6"),
    (133, "RouterSolicit"),
    (134, "RouterAdvert"),
    (135, "NbrSolicit"),
    (136, "NbrAdvert"),
    (137, "RedirectV6"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_are_the_hosts() {
        let snmp = "Icmp: InMsgs InErrors InCsumErrors OutMsgs\nIcmp: 9 2 1 4\n\
                    IcmpMsg: InType0 InType8 OutType8\nIcmpMsg: 3 6 3\n";
        let text = text(snmp);
        let begin = "InMsgs: 9\nInErrors: 2\nOutMsgs: 4\nCsumErrs: 1\nLenErrs: 0\nHlenErrs: 0\n\
                     EchoReply: 3 0\n1: 0 0\n";
        assert!(text.starts_with(begin), "{text}");
        assert!(text.contains("\nEchoRequest: 6 3\n") && text.ends_with("AddrMaskReply: 0 0\n"));
        assert_eq!(text.lines().count(), 25);
    }

    #[test]
    fn those_of_ipv6_have_a_line_each() {
        let snmp6 = "Icmp6InMsgs                     \t9\nIcmp6OutType128 \t2\n";
        let text = text_six(snmp6);
        assert!(text.starts_with("InMsgs: 9\nInErrors: 0\n"));
        assert!(text.contains("\nEchoRequestV6: 0 2\n") && text.ends_with("RedirectV6: 0 0\n"));
        assert_eq!(text.lines().count(), 34);
    }
}
