//! Which frames a slot takes, as a program of the kernel's packet filter (packet(7)).

use crate::net::filter::Step;
use crate::net::packets::raw::{ALL, HALF, IF_ANY_OF, IF_EQUAL, NOTHING};

/// What a slot was told to take.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Wanted {
    /// Frames of this type alone; all where it is not above 0.
    pub(super) kind: i32,
    /// Frames for other stations too, and those that this machine sends.
    pub(super) promiscuous: bool,
    /// No frames for this machine.
    pub(super) bridge: bool,
}

/// Lets through what is wanted, but for what goes to and from `ports` of this machine: those that the
/// gateway itself listens on. Who captured the session that carries the capture would never end.
pub(super) fn program(wanted: Wanted, ports: &[u16]) -> Vec<Step> {
    let mut program = vec![load(PACKET_TYPE)];
    let mut refuse = |way| program.extend(when(way, vec![NOTHING]));
    if !wanted.promiscuous {
        refuse(OTHER_HOST);
        refuse(OUTGOING);
    }
    if wanted.bridge {
        refuse(HOST);
    }
    if let Ok(kind @ 1..) = u32::try_from(wanted.kind) {
        // The type of a frame whose VLAN tag was taken off is its tag's.
        program.extend([load(TAG_PRESENT), (IF_EQUAL, 2, 0, 0), load(TAG_TYPE)]);
        program.extend([(SKIP, 0, 0, 1), TYPE, (IF_EQUAL, 1, 0, kind), NOTHING]);
    }
    if !ports.is_empty() {
        for (way, end) in [(HOST, TO), (OUTGOING, FROM)] {
            program.push(load(PACKET_TYPE));
            program.extend(when(way, [four(ports, end), six(ports, end)].concat()));
        }
    }
    program.push(ALL);
    program
}

/// Refuses segments of TCP over IPv4 whose port at `end` is one of `ports`. Only the first fragment has
/// ports.
fn four(ports: &[u16], end: u32) -> Vec<Step> {
    let segment = [vec![HEADER_LENGTH, (HALF, 0, 0, 14 + end)], any_of(ports)].concat();
    let first = [vec![(IF_ANY_OF, 0, 1, 0x1fff), over(&segment)], segment].concat();
    let tcp = when(TCP, [vec![(HALF_AT, 0, 0, 20)], first].concat());
    [vec![TYPE], when(0x800, [vec![(BYTE_AT, 0, 0, 23)], tcp].concat())].concat()
}

/// The same over IPv6, where nothing is between the headers.
fn six(ports: &[u16], end: u32) -> Vec<Step> {
    let tcp = when(TCP, [vec![(HALF_AT, 0, 0, 54 + end)], any_of(ports)].concat());
    [vec![TYPE], when(0x86dd, [vec![(BYTE_AT, 0, 0, 20)], tcp].concat())].concat()
}

fn any_of(ports: &[u16]) -> Vec<Step> {
    ports.iter().flat_map(|port| when(u32::from(*port), vec![NOTHING])).collect()
}

/// Runs the steps if what is loaded is `number`.
fn when(number: u32, steps: Vec<Step>) -> Vec<Step> {
    [vec![(IF_EQUAL, 1, 0, number), over(&steps)], steps].concat()
}

/// Skips the steps, which may be more than a comparison can skip.
fn over(steps: &[Step]) -> Step {
    (SKIP, 0, 0, u32::try_from(steps.len()).unwrap_or(u32::MAX))
}

/// Loads what the kernel knows beside the bytes (`SKF_AD_OFF` of linux/filter.h).
const fn load(what: u32) -> Step {
    (0x20, 0, 0, 0xffff_f000 + what)
}

const PACKET_TYPE: u32 = 4;
const TAG_PRESENT: u32 = 48;
const TAG_TYPE: u32 = 60;
const SKIP: u16 = 0x05;
// These load what is that far behind the frame's begin.
const BYTE_AT: u16 = 0x30;
const HALF_AT: u16 = 0x28;
const TYPE: Step = (HALF_AT, 0, 0, 12);
/// X is the length of the IPv4 header.
const HEADER_LENGTH: Step = (0xb1, 0, 0, 14);
const TCP: u32 = 6;
/// Where the ports of a segment are.
const FROM: u32 = 0;
const TO: u32 = 2;

// Where frames go, as linux/if_packet.h numbers it.
const HOST: u32 = 0;
const OTHER_HOST: u32 = 3;
const OUTGOING: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: [u16; 2] = [5640, 17_008];

    /// What the kernel would return for a frame: its bytes, its way and its tag's type.
    fn run(program: &[Step], frame: &[u8], way: u32, tag: Option<u32>) -> u32 {
        let (mut at, mut loaded, mut x) = (0_usize, 0_u32, 0_u32);
        let byte = |at: u32| u32::from(frame[at as usize]);
        let half = |at: u32| byte(at) << 8 | byte(at + 1);
        loop {
            let (code, jt, jf, k) = program[at];
            at += 1;
            let mut branch = |taken: bool| at += usize::from(if taken { jt } else { jf });
            match (code, k) {
                (0x20, 0xffff_f004) => loaded = way,
                (0x20, 0xffff_f030) => loaded = tag.is_some().into(),
                (0x20, 0xffff_f03c) => loaded = tag.unwrap(),
                (0x28, k) => loaded = half(k),
                (0x30, k) => loaded = byte(k),
                (0x48, k) => loaded = half(x + k),
                (0xb1, k) => x = 4 * (byte(k) & 15),
                (0x15, k) => branch(loaded == k),
                (0x45, k) => branch(loaded & k != 0),
                (0x05, skip) => at += skip as usize,
                (0x06, length) => return length,
                step => panic!("{step:?}"),
            }
        }
    }

    fn takes(wanted: Wanted, kind: u16, way: u32, tag: Option<u32>) -> bool {
        let mut frame = [0; 60];
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        run(&program(wanted, &PORTS), &frame, way, tag) > 0
    }

    /// A segment between two ports, with or without options of IP.
    fn segment(kind: u16, (from, to): (u16, u16), options: usize, fragment: u16) -> Vec<u8> {
        let mut frame = vec![0; 14];
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        let mut header = if kind == 0x800 { vec![0; 20 + options] } else { vec![0; 40] };
        if kind == 0x800 {
            header[0] = 0x45 + u8::try_from(options / 4).unwrap();
            header[6..8].copy_from_slice(&fragment.to_be_bytes());
            header[9] = 6;
        } else {
            (header[0], header[6]) = (0x60, 6);
        }
        frame.extend(header);
        frame.extend(from.to_be_bytes().into_iter().chain(to.to_be_bytes()));
        frame.extend([0; 40]);
        frame
    }

    #[test]
    fn a_type_is_taken_alone() {
        let wanted = Wanted { kind: 0x800, ..Wanted::default() };
        assert!(takes(wanted, 0x800, HOST, None));
        assert!(!takes(wanted, 0x806, HOST, None));
        assert!(!takes(wanted, 0x800, HOST, Some(0x8100)));
        let tagged = Wanted { kind: 0x8100, ..Wanted::default() };
        assert!(takes(tagged, 0x800, HOST, Some(0x8100)));
        assert!(takes(tagged, 0x8100, HOST, None));
        for kind in [-1, -2] {
            assert!(takes(Wanted { kind, ..Wanted::default() }, 0x806, HOST, None));
        }
    }

    #[test]
    fn what_is_not_for_this_machine_is_taken_by_the_promiscuous() {
        const BROADCAST: u32 = 1;
        for way in [OTHER_HOST, OUTGOING] {
            assert!(!takes(Wanted { kind: -1, ..Wanted::default() }, 0x800, way, None));
            assert!(takes(
                Wanted { kind: -1, promiscuous: true, ..Wanted::default() },
                0x800,
                way,
                None
            ));
        }
        assert!(takes(Wanted { kind: -1, ..Wanted::default() }, 0x800, BROADCAST, None));
        let bridge = Wanted { kind: -1, promiscuous: true, bridge: true };
        assert!(!takes(bridge, 0x800, HOST, None));
        assert!(takes(bridge, 0x800, OTHER_HOST, None));
    }

    #[test]
    fn the_gateway_s_own_sessions_are_left_out() {
        let all = Wanted { kind: -1, promiscuous: true, bridge: false };
        for kind in [0x800, 0x86dd] {
            let takes = |ports, way| {
                run(&program(all, &PORTS), &segment(kind, ports, 0, 0x4000), way, None) > 0
            };
            for port in PORTS {
                assert!(!takes((999, port), HOST));
                assert!(!takes((port, 999), OUTGOING));
                // Other machines' have the same number.
                assert!(takes((port, 999), HOST));
                assert!(takes((999, port), OUTGOING));
                assert!(takes((999, port), OTHER_HOST));
            }
            assert!(takes((999, 80), HOST));
        }
        let options = segment(0x800, (999, 5640), 8, 0);
        assert_eq!(run(&program(all, &PORTS), &options, HOST, None), 0);
        let second = segment(0x800, (999, 5640), 0, 0x00b9);
        assert!(run(&program(all, &PORTS), &second, HOST, None) > 0);
        assert!(run(&program(all, &[]), &options, HOST, None) > 0);
    }
}
