//! The texts of status and stats (ip(3)), from what Linux tells of a socket and of the host.
//!
//! Pure: numbers come in, text goes out; [`super::info`] asks the host. What Linux does not tell
//! is 0. Programs look at the first word of a status; the rest is for people.

use std::fmt::Write as _;

use crate::net::snmp;

/// What `TCP_INFO` and the queues of a socket say, in the host's own units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct TcpInfo {
    /// `tcpi_state`.
    pub(crate) state: u8,
    /// Bytes received and not read (SIOCINQ).
    pub(crate) unread: u32,
    /// Bytes written and not acknowledged (SIOCOUTQ).
    pub(crate) unacknowledged: u32,
    /// Microseconds until a retransmission.
    pub(crate) rto: u32,
    /// Smoothed round-trip time in microseconds.
    pub(crate) rtt: u32,
    /// Its mean deviation in microseconds.
    pub(crate) rttvar: u32,
    /// Bytes in a segment sent.
    pub(crate) snd_mss: u32,
    /// Slow start threshold in segments, at least 0x7fffffff for none.
    pub(crate) snd_ssthresh: u32,
    /// Congestion window in segments.
    pub(crate) snd_cwnd: u32,
    /// Bytes the other end will take; 0 from kernels that do not tell.
    pub(crate) snd_wnd: u32,
    /// Bytes we will take; 0 from kernels that do not tell.
    pub(crate) rcv_wnd: u32,
    /// Shift of the other end's window.
    pub(crate) snd_wscale: u8,
    /// Shift of ours.
    pub(crate) rcv_wscale: u8,
}

impl TcpInfo {
    /// Reads a `struct tcp_info` in host order; an older kernel's is shorter, and what is missing
    /// is 0. The queues are not in it.
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let byte = |at: usize| raw.get(at).copied().unwrap_or_default();
        let word = |at: usize| {
            let bytes = raw.get(at..).and_then(|rest| rest.first_chunk());
            bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
        };
        // Two bit fields share a byte, and which comes first follows the byte order.
        let (low, high) = (byte(6) & 15, byte(6) >> 4);
        let (snd_wscale, rcv_wscale) =
            if cfg!(target_endian = "little") { (low, high) } else { (high, low) };
        Self {
            state: byte(0),
            unread: 0,
            unacknowledged: 0,
            rto: word(8),
            rtt: word(68),
            rttvar: word(72),
            snd_mss: word(16),
            snd_ssthresh: word(76),
            snd_cwnd: word(80),
            snd_wnd: word(228),
            rcv_wnd: word(232),
            snd_wscale,
            rcv_wscale,
        }
    }

    /// The status word of the kernel's state, for a conversation that is Connected.
    pub(crate) fn word(&self) -> &'static str {
        match self.state {
            1 => "Established",
            2 => SYN_SENT,
            3 => "Syn_received",
            4 => "Finwait1",
            5 => "Finwait2",
            6 => "Time_wait",
            8 => "Close_wait",
            9 => "Last_ack",
            10 => LISTEN,
            11 => "Closing",
            _ => CLOSED,
        }
    }
}

/// The status word of a conversation that is Idle or Hungup.
pub(crate) const CLOSED: &str = "Closed";
/// Of one that is Connecting.
pub(crate) const SYN_SENT: &str = "Syn_sent";
/// Of one that is Announced.
pub(crate) const LISTEN: &str = "Listen";

/// The text of status: `word` and what is known of the connection, all 0 without one.
/// `keepalive_ms` is 0 when the connection is not probed.
pub(crate) fn line(word: &str, info: &TcpInfo, keepalive_ms: u32) -> String {
    let segments = |count: u32| u64::from(count) * u64::from(info.snd_mss);
    let threshold = if info.snd_ssthresh >= NO_THRESHOLD { 0 } else { info.snd_ssthresh };
    format!(
        "{word} qin {} qout {} rq 0.0 srtt {} mdev {} sst {} cwin {} swin {}>>{} rwin {}>>{} \
         qscale 0 timer.start {} timer.count 0 rerecv 0 katimer.start {keepalive_ms} \
         katimer.count 0\n",
        info.unread,
        info.unacknowledged,
        info.rtt / 1000,
        info.rttvar / 1000,
        segments(threshold),
        segments(info.snd_cwnd),
        info.snd_wnd,
        info.snd_wscale,
        info.rcv_wnd,
        info.rcv_wscale,
        info.rto / 1000,
    )
}

/// The text of stats from `snmp`, the text of `/proc/net/snmp`, with `limit` conversations.
pub(crate) fn stats(limit: u32, snmp: &str) -> String {
    let mut text = String::new();
    for (name, field) in STATS {
        let value = match field {
            Field::Limit => limit.into(),
            Field::Unknown => 0,
            Field::Snmp(field) => snmp::value(snmp, "Tcp", field),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name}: {value}");
    }
    text
}

/// `TCP_INFINITE_SSTHRESH`.
const NO_THRESHOLD: u32 = 0x7fff_ffff;

/// Where a line of stats has its number from.
#[derive(Clone, Copy, Debug)]
enum Field {
    Limit,
    Snmp(&'static str),
    Unknown,
}

/// The lines of stats, in the original's order.
const STATS: [(&str, Field); 28] = [
    ("MaxConn", Field::Limit),
    ("MaxSegment", Field::Unknown),
    ("ActiveOpens", Field::Snmp("ActiveOpens")),
    ("PassiveOpens", Field::Snmp("PassiveOpens")),
    ("EstabResets", Field::Snmp("EstabResets")),
    ("CurrEstab", Field::Snmp("CurrEstab")),
    ("InSegs", Field::Snmp("InSegs")),
    ("OutSegs", Field::Snmp("OutSegs")),
    ("RetransSegs", Field::Snmp("RetransSegs")),
    ("RetransSegsSent", Field::Unknown),
    ("RetransTimeouts", Field::Unknown),
    ("InErrs", Field::Snmp("InErrs")),
    ("OutRsts", Field::Snmp("OutRsts")),
    ("CsumErrs", Field::Snmp("InCsumErrors")),
    ("HlenErrs", Field::Unknown),
    ("LenErrs", Field::Unknown),
    ("OutOfOrder", Field::Unknown),
    ("Resequenced", Field::Unknown),
    ("ReseqBytelim", Field::Unknown),
    ("ReseqPktlim", Field::Unknown),
    ("Delayack", Field::Unknown),
    ("Wopenack", Field::Unknown),
    ("Recovery", Field::Unknown),
    ("RecoveryDone", Field::Unknown),
    ("RecoveryRTO", Field::Unknown),
    ("RecoveryNoSeq", Field::Unknown),
    ("RecoveryCwind", Field::Unknown),
    ("RecoveryPA", Field::Unknown),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_without_a_connection_is_all_zeros() {
        assert_eq!(
            line(CLOSED, &TcpInfo::default(), 0),
            "Closed qin 0 qout 0 rq 0.0 srtt 0 mdev 0 sst 0 cwin 0 swin 0>>0 rwin 0>>0 qscale 0 \
             timer.start 0 timer.count 0 rerecv 0 katimer.start 0 katimer.count 0\n"
        );
    }

    #[test]
    fn a_status_is_in_bytes_and_milliseconds() {
        let info = TcpInfo {
            state: 1,
            unread: 5,
            unacknowledged: 7,
            rto: 204_999,
            rtt: 40_500,
            rttvar: 20_250,
            snd_mss: 1448,
            snd_ssthresh: 20,
            snd_cwnd: 10,
            snd_wnd: 65_536,
            rcv_wnd: 64_240,
            snd_wscale: 7,
            rcv_wscale: 8,
        };
        assert_eq!(
            line(info.word(), &info, 120_000),
            "Established qin 5 qout 7 rq 0.0 srtt 40 mdev 20 sst 28960 cwin 14480 \
             swin 65536>>7 rwin 64240>>8 qscale 0 timer.start 204 timer.count 0 rerecv 0 \
             katimer.start 120000 katimer.count 0\n"
        );
    }

    #[test]
    fn no_threshold_and_the_largest_window_are_printed() {
        let info = TcpInfo {
            snd_mss: u32::MAX,
            snd_ssthresh: 0x7fff_ffff,
            snd_cwnd: u32::MAX,
            ..TcpInfo::default()
        };
        assert!(line(CLOSED, &info, 0).contains(" sst 0 cwin 18446744065119617025 "));
    }

    #[test]
    fn states_of_the_kernel_have_the_originals_words() {
        let words = [
            "Closed",
            "Established",
            "Syn_sent",
            "Syn_received",
            "Finwait1",
            "Finwait2",
            "Time_wait",
            "Closed",
            "Close_wait",
            "Last_ack",
            "Listen",
            "Closing",
            "Closed",
        ];
        for (state, word) in (0..).zip(words) {
            assert_eq!(TcpInfo { state, ..TcpInfo::default() }.word(), word, "{state}");
        }
    }

    #[test]
    fn a_short_tcp_info_is_zero_where_it_ends() {
        let mut raw = vec![0; 104];
        raw[0] = 8;
        raw[68..72].copy_from_slice(&9000_u32.to_ne_bytes());
        let info = TcpInfo::parse(&raw);
        assert_eq!((info.word(), info.rtt, info.snd_wnd), ("Close_wait", 9000, 0));
        assert_eq!(TcpInfo::parse(&[]), TcpInfo::default());
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn a_tcp_info_is_read_where_linux_has_its_fields() {
        let mut raw: Vec<u8> = (0..240).collect();
        raw[6] = 0x87;
        let info = TcpInfo::parse(&raw);
        assert_eq!((info.snd_wscale, info.rcv_wscale), (7, 8));
        let words = [
            (info.rto, 8),
            (info.snd_mss, 16),
            (info.rtt, 68),
            (info.rttvar, 72),
            (info.snd_ssthresh, 76),
            (info.snd_cwnd, 80),
            (info.snd_wnd, 228),
            (info.rcv_wnd, 232),
        ];
        for (value, place) in words {
            assert_eq!(value & 0xff, place);
        }
    }

    #[test]
    fn stats_are_the_hosts_and_the_limit() {
        let snmp = "Ip: Forwarding DefaultTTL\nIp: 1 64\n\
            Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails \
            EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n\
            Tcp: 1 200 120000 -1 11 12 13 14 15 16 17 18 19 20 21\nUdp: InDatagrams\nUdp: 1\n";
        let text = stats(65_536, snmp);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[..14],
            [
                "MaxConn: 65536",
                "MaxSegment: 0",
                "ActiveOpens: 11",
                "PassiveOpens: 12",
                "EstabResets: 14",
                "CurrEstab: 15",
                "InSegs: 16",
                "OutSegs: 17",
                "RetransSegs: 18",
                "RetransSegsSent: 0",
                "RetransTimeouts: 0",
                "InErrs: 19",
                "OutRsts: 20",
                "CsumErrs: 21",
            ]
        );
        assert_eq!(lines.len(), 28);
        assert!(text.ends_with("RecoveryPA: 0\n"));
    }

    #[test]
    fn stats_of_a_host_that_tells_nothing_are_zero() {
        for snmp in ["", "Tcp: ActiveOpens\n", "Tcp: ActiveOpens\nTcp: x\n", "Tcp:\nTcp:\n"] {
            assert!(stats(1, snmp).contains("\nActiveOpens: 0\n"), "{snmp:?}");
        }
    }
}
