//! The host's counts as it gives them in `/proc/net/snmp` (proc(5)), pairs of lines with names above
//! values, and in `snmp6`, a line for each.

/// The value of `name` in the lines that begin with `protocol` and a colon; 0 if there is none.
pub(crate) fn value(snmp: &str, protocol: &str, name: &str) -> u64 {
    let rest = |line| str::strip_prefix(line, protocol).and_then(|rest| rest.strip_prefix(':'));
    let mut lines = snmp.lines().filter_map(rest);
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else {
        return 0;
    };
    let mut columns = names.split_ascii_whitespace().zip(values.split_ascii_whitespace());
    columns.find(|column| column.0 == name).and_then(|column| column.1.parse().ok()).unwrap_or(0)
}

/// The count of `snmp6` that is called `protocol` and `name`; 0 if there is none.
pub(crate) fn value_six(snmp6: &str, protocol: &str, name: &str) -> u64 {
    let value = |line: &str| {
        let (label, count) = line.split_once(char::is_whitespace)?;
        (label.strip_prefix(protocol) == Some(name)).then(|| count.trim().parse().ok())?
    };
    snmp6.lines().find_map(value).unwrap_or(0)
}
