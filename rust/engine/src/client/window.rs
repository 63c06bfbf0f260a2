//! How many Treads and Twrites a pump keeps outstanding.
//!
//! Throughput over a session is bytes outstanding a round trip, so a busy stream wants a wide
//! window; an idle one wants a single small request, as each costs the server a parked answer.
//! The read window learns from the size of replies: it doubles while they are large and falls
//! back when they are small. A server that did not promise the window (protocol.md, section 6)
//! gets one request at a time, whatever the replies are. Pure arithmetic: no clock, no socket.

/// Bytes that one fid may have outstanding in either direction (protocol.md, section 6).
pub(crate) const WINDOW: u32 = 4 << 20;

/// Fewest bytes asked for by a Tread of a wide window: below it headers and wake-ups cost more
/// than the payload's copy.
const LEAST_COUNT: u32 = 128 << 10;

/// A reply below this is conversation, not bulk.
const SMALL: u32 = 16 << 10;

/// Treads kept outstanding on a stream whose replies are small: the second is sent along with
/// the next Twrite, so that a round trip costs one send of the session less.
const INTERACTIVE: usize = 2;

/// Bytes outstanding in Twrites of a whole session beyond which each fid's share shrinks. The
/// server bounds a session at 64 MiB and refuses what comes above it (tree.md, section 5).
const SESSION_EASY: usize = 32 << 20;
const SESSION_TIGHT: usize = 48 << 20;
const SESSION_FULL: usize = 62 << 20;

/// The Treads of one data fid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadWindow {
    iounit: u32,
    windowed: bool,
    wanted: usize,
    typical: u32,
}

impl ReadWindow {
    pub(crate) const fn new(iounit: u32, windowed: bool) -> Self {
        Self { iounit, windowed, wanted: 1, typical: 0 }
    }

    /// Learns from a reply of `bytes`.
    pub(crate) fn replied(&mut self, bytes: u32) {
        if !self.windowed {
            return;
        }
        if bytes < SMALL.min(self.iounit / 2) {
            self.wanted = (self.wanted / 2).max(INTERACTIVE);
            return;
        }
        self.typical = self.typical - self.typical / 4 + bytes / 4;
        let share = self.typical.saturating_mul(2).max(LEAST_COUNT);
        let most = (WINDOW / share).clamp(4, 32) as usize;
        self.wanted = (self.wanted * 2).min(most);
    }

    /// Bytes that the next Tread asks for.
    pub(crate) fn count(&self) -> u32 {
        let share = WINDOW / u32::try_from(self.wanted).unwrap_or(1).max(1);
        self.iounit.min(share)
    }

    /// How many Treads to send now when `outstanding` are.
    pub(crate) fn missing(&self, outstanding: usize) -> usize {
        self.wanted.saturating_sub(outstanding)
    }

    /// Whether the missing Treads may wait for something else to be sent: a small exchange that
    /// still has a Tread at the server loses nothing by it.
    pub(crate) fn may_wait(&self, outstanding: usize) -> bool {
        self.wanted <= INTERACTIVE && outstanding > 0
    }
}

/// How many payload bytes the next Twrite of a fid may carry, 0 for none yet.
///
/// `outstanding` counts the fid's unanswered bytes and `session` those of all fids.
pub(crate) fn write_room(
    windowed: bool,
    iounit: usize,
    outstanding: usize,
    session: usize,
) -> usize {
    if !windowed {
        return if outstanding == 0 { iounit } else { 0 };
    }
    let share = match session {
        0..SESSION_EASY => WINDOW as usize,
        SESSION_EASY..SESSION_TIGHT => 256 << 10,
        SESSION_TIGHT..SESSION_FULL => 16 << 10,
        _ => 0,
    };
    let room = share.saturating_sub(outstanding);
    // A window that is nearly full would be topped up by slivers: wait until half of a bulk
    // Twrite fits, unless nothing is outstanding that would bring a reply.
    if outstanding > 0 && room < (share / 32).min(iounit) { 0 } else { room.min(iounit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_window_is_one_tread_of_all_that_msize_allows() {
        let window = ReadWindow::new(1 << 20, true);
        assert_eq!((window.missing(0), window.count()), (1, 1 << 20));
    }

    #[test]
    fn large_replies_open_the_window_and_never_past_four_mebibytes() {
        for reply in [20 << 10, 64 << 10, 256 << 10, 1 << 20] {
            let mut window = ReadWindow::new((1 << 20) - 24, true);
            for _ in 0..20 {
                window.replied(reply);
                let total = window.missing(0) as u64 * u64::from(window.count());
                assert!(total <= u64::from(WINDOW), "{total} bytes for replies of {reply}");
            }
            assert!(window.missing(0) >= 4);
        }
    }

    #[test]
    fn small_replies_close_the_window_to_two_and_the_second_may_wait() {
        let mut window = ReadWindow::new(1 << 20, true);
        (0..5).for_each(|_| window.replied(1 << 20));
        (0..9).for_each(|_| window.replied(64));
        assert_eq!(window.missing(0), 2);
        assert!(window.may_wait(1) && !window.may_wait(0));
    }

    #[test]
    fn a_server_without_the_promise_gets_one_request_at_a_time() {
        let mut window = ReadWindow::new(8192, false);
        (0..9).for_each(|_| window.replied(8192));
        assert_eq!((window.missing(0), window.missing(1)), (1, 0));
        assert_eq!(write_room(false, 8192, 0, 0), 8192);
        assert_eq!(write_room(false, 8192, 1, 0), 0);
    }

    #[test]
    fn a_session_near_the_servers_bound_shrinks_every_share() {
        assert_eq!(write_room(true, 1 << 20, 0, 0), 1 << 20);
        assert_eq!(write_room(true, 1 << 20, 0, SESSION_EASY), 256 << 10);
        assert_eq!(write_room(true, 1 << 20, 0, SESSION_TIGHT), 16 << 10);
        assert_eq!(write_room(true, 1 << 20, 0, SESSION_FULL), 0);
    }
}
