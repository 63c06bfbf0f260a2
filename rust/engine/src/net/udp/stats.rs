//! The text of udp's stats: the host's counts in the original's words (ip(3)).

use std::fmt::Write as _;

use crate::net::snmp;

/// One `Name: N` a line, of both families together. `snmp` and `snmp6` are the files of
/// `/proc/net`; the latter is empty on a host without IPv6.
pub(crate) fn text(snmp: &str, snmp6: &str) -> String {
    let mut text = String::new();
    for name in ["InDatagrams", "NoPorts", "InErrors", "OutDatagrams"] {
        let count = snmp::value(snmp, "Udp", name) + snmp::value_six(snmp6, "Udp6", name);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {count}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str = "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\n\
                        Udp: 10 2 3 40 5\n";

    #[test]
    fn the_counts_of_both_families_are_added() {
        let snmp6 = "Udp6InDatagrams                 \t7\nUdp6OutDatagrams \t1\n";
        assert_eq!(
            text(SNMP, snmp6),
            "InDatagrams: 17\nNoPorts: 2\nInErrors: 3\nOutDatagrams: 41\n"
        );
    }

    #[test]
    fn what_the_host_does_not_tell_is_0() {
        assert_eq!(text("", ""), "InDatagrams: 0\nNoPorts: 0\nInErrors: 0\nOutDatagrams: 0\n");
    }
}
