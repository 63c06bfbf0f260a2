//! One pump: a conversation's ctl and data on the session, a local socket, bytes both ways.
//!
//! Each direction ends by itself: the local side's end becomes `shutdown write` on the ctl once
//! all Twrites are answered, the remote's end (a read of 0 bytes) becomes a FIN to the local side.
//! When both have ended the fids are clunked. A break, on whichever side, ends both directions at
//! once: `hangup` on the ctl, a reset to the local side if the break was the remote's.
//!
//! However it ends, the order is: withdraw what is outstanding, wait until the server has said
//! the last word on all of it, then clunk. A fid number comes free only when nothing of the old
//! conversation can arrive under it.
//!
//! An idle pump holds no buffer, only a Tread at the server.

mod down;
mod up;

use mio::Registry;
use netrelay_proto::ids::{Fid, Tag};
use netrelay_proto::message::{Message, Twrite};

use self::down::Down;
pub(crate) use self::up::Pulled;
use self::up::Up;
use super::calls::Purpose;
use super::fids::Fids;
use super::link::Link;
use super::stream::{Moved, Stream};
use super::window::ReadWindow;

/// What a session that is gone leaves of every conversation.
const HANGUP: &str = "i/o on hungup channel";

/// One conversation being pumped.
#[derive(Debug)]
pub(crate) struct Pump {
    /// The id of the call that started it.
    pub(crate) id: u64,
    /// Whether it waits for its turn at the local socket.
    pub(crate) in_ring: bool,
    key: usize,
    ctl: Fid,
    data: Fid,
    local: Option<Stream>,
    /// Nobody reads what goes down.
    gone: bool,
    up: Up,
    down: Down,
    /// Writes to ctl that are not answered.
    notes: usize,
    error: Option<String>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Stage {
    Running,
    /// Withdrawing what is outstanding.
    Ending,
    /// Tclunks unanswered.
    Leaving(u8),
}

/// What the poll says of a local socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    /// Its peer sends no more.
    pub(crate) closing: bool,
    /// Its peer neither sends nor reads any more.
    pub(crate) gone: bool,
}

/// How a pump ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) up: u64,
    pub(crate) down: u64,
    pub(crate) error: Option<String>,
}

impl Pump {
    pub(crate) fn new(
        id: u64,
        key: usize,
        (ctl, data): (Fid, Fid),
        local: Stream,
        link: &Link,
    ) -> Self {
        let window = ReadWindow::new(link.agreed.iounit(), link.agreed.windowed);
        Self {
            id,
            in_ring: false,
            key,
            ctl,
            data,
            local: Some(local),
            gone: false,
            up: Up::new(),
            down: Down::new(window),
            notes: 0,
            error: None,
            stage: Stage::Running,
        }
    }

    /// The poll says what the local socket can do now.
    pub(crate) fn ready(&mut self, ready: Ready, link: &mut Link) {
        self.up.readable |= ready.readable || ready.closing;
        self.up.closing |= ready.closing;
        self.gone |= ready.gone;
        if self.local.as_ref().is_some_and(|local| !self.down.deliver(local, &mut link.pool)) {
            self.local_broke(link);
        }
    }

    /// Whether a turn at the local socket would do something.
    pub(crate) fn eager(&self, link: &Link) -> bool {
        self.local.is_some() && self.up.eager(link)
    }

    /// Whether only the session's bound keeps it from sending: no answer of its own will wake it.
    pub(crate) fn starved(&self, link: &Link) -> bool {
        self.local.is_some() && self.up.starved(link)
    }

    /// Takes a turn at the local socket.
    pub(crate) fn pull(&mut self, link: &mut Link) -> Pulled {
        let Some(local) = self.local.as_ref() else { return Pulled::Rest };
        let pulled = self.up.pull(self.data, self.key, local, link);
        if pulled == Pulled::Broken {
            self.local_broke(link);
        } else if let Err(error) = self.down.refill(self.data, self.key, link, false) {
            self.end(Some(error), link);
        }
        pulled
    }

    /// A payload of the slow lane has left.
    pub(crate) fn gone(&mut self) {
        self.up.queued = self.up.queued.saturating_sub(1);
    }

    /// A piece of an Rread came.
    pub(crate) fn arrived(&mut self, piece: &[u8], link: &mut Link) {
        if self.local.as_ref().is_some_and(|local| !self.down.arrived(piece, local)) {
            self.local_broke(link);
        }
    }

    /// Takes at most `most` bytes of an Rread from the session's own socket; none when they must be
    /// received.
    pub(crate) fn splice(
        &mut self,
        session: &Stream,
        most: usize,
        link: &mut Link,
    ) -> Option<Moved> {
        let local = self.local.as_ref()?;
        let (moved, whole) = self.down.splice(session, most, local, &mut link.pool)?;
        if !whole {
            self.local_broke(link);
        }
        Some(moved)
    }

    /// An Rread is whole.
    ///
    /// # Errors
    /// The server breaks its promise of order: the session can't be trusted.
    pub(crate) fn read(&mut self, tag: Tag, total: u32) -> Result<(), String> {
        self.down.replied(tag, total)
    }

    /// A Tread was refused (with a text) or flushed (without).
    pub(crate) fn read_failed(&mut self, tag: Tag, why: Option<&str>) {
        self.down.forget(tag);
        let Some(why) = why.filter(|_| self.down.state == down::State::Open) else { return };
        // What arrived before is delivered first; then the local side gets the reset.
        self.down.state = down::State::Draining;
        self.error.get_or_insert_with(|| why.into());
        self.up.state = up::State::Ended;
    }

    /// A Twrite of `len` bytes was answered: `taken` of them, or refused, or (with neither) flushed.
    pub(crate) fn wrote(
        &mut self,
        tag: Tag,
        len: u32,
        taken: Result<u32, Option<&str>>,
        link: &mut Link,
    ) {
        self.up.answered(tag, len, link);
        let why = match taken {
            Ok(count) if count >= len => return,
            Ok(_) => "short write",
            Err(Some(why)) => why,
            Err(None) => return,
        };
        if self.stage == Stage::Running && self.up.state != up::State::Ended {
            // The remote may have said something before it stopped listening: go on reading.
            self.error.get_or_insert_with(|| why.into());
            let over = self.up.state == up::State::Draining;
            self.up.state = if over { up::State::Ended } else { up::State::Discarding };
        }
    }

    /// A write to ctl was answered. Whatever it says, there is nothing else to be done: a server
    /// without `shutdown write` learns of the end by the clunk.
    pub(crate) fn noted(&mut self) {
        self.notes = self.notes.saturating_sub(1);
        if self.up.state == up::State::Finishing {
            self.up.state = up::State::Ended;
        }
    }

    /// A Tclunk was answered.
    pub(crate) fn left(&mut self) {
        if let Stage::Leaving(left) = &mut self.stage {
            *left = left.saturating_sub(1);
        }
    }

    /// Does what has become possible; how it ended once all is over.
    pub(crate) fn step(
        &mut self,
        link: &mut Link,
        registry: &Registry,
        fids: &Fids,
    ) -> Option<Ended> {
        if self.stage == Stage::Running {
            self.run(link);
        }
        if self.stage == Stage::Ending {
            if let Some(local) = self.local.take() {
                local.deregister(registry);
            }
            let quiet = self.up.asked.is_empty() && self.down.asked.is_empty();
            if quiet && self.notes == 0 {
                let own = [self.data, self.ctl].into_iter().filter(|fid| *fid != Fid::NOFID);
                let sent = own.filter(|fid| link.clunk(*fid, Purpose::Leave(self.key))).count();
                self.stage = Stage::Leaving(u8::try_from(sent).unwrap_or(2));
            }
        }
        if self.stage != Stage::Leaving(0) {
            return None;
        }
        fids.give(self.ctl);
        fids.give(self.data);
        Some(self.ended(None))
    }

    /// The session is gone: what there was to report.
    pub(crate) fn lost(&mut self) -> Ended {
        if let Some(local) = self.local.take() {
            local.reset_on_close();
        }
        self.ended(Some(HANGUP.into()))
    }

    /// Stops at once, as the embedding program asked.
    pub(crate) fn stop(&mut self, link: &mut Link) {
        self.end(Some("interrupted".into()), link);
    }

    fn ended(&mut self, error: Option<String>) -> Ended {
        Ended { up: self.up.bytes, down: self.down.bytes, error: self.error.take().or(error) }
    }

    fn run(&mut self, link: &mut Link) {
        if self.down.state == down::State::Draining && self.down.delivered() {
            self.down.state = down::State::Ended;
            if self.up.state == up::State::Ended && self.error.is_some() {
                return self.end(None, link);
            }
            if let Some(local) = self.local.as_ref() {
                local.finish();
            }
        }
        if self.up.state == up::State::Draining && self.up.asked.is_empty() {
            self.up.state = up::State::Finishing;
            if !self.note(b"shutdown write", link) {
                self.up.state = up::State::Ended;
            }
        }
        // With nobody left to read, the end of the way up is the end: the clunk still sends what
        // is on its way, where a hangup would drop it.
        let down_over = self.down.state == down::State::Ended || self.gone;
        match self.up.state {
            up::State::Ended | up::State::Discarding if down_over => self.withdraw(link),
            _ => {
                if let Err(error) = self.down.refill(self.data, self.key, link, true) {
                    self.end(Some(error), link);
                }
            }
        }
    }

    /// The local side is gone: nothing to send to it, nothing to come from it.
    fn local_broke(&mut self, link: &mut Link) {
        if self.stage == Stage::Running {
            self.error.get_or_insert_with(|| "local side hung up".into());
            self.note(b"hangup", link);
            self.withdraw(link);
        }
    }

    /// Breaks both sides.
    fn end(&mut self, error: Option<String>, link: &mut Link) {
        if self.stage != Stage::Running {
            return;
        }
        self.error = self.error.take().or(error);
        if let Some(local) = self.local.as_ref() {
            local.reset_on_close();
        }
        self.note(b"hangup", link);
        self.withdraw(link);
    }

    /// Takes back what is outstanding; the clunks follow when all of it is answered.
    fn withdraw(&mut self, link: &mut Link) {
        self.stage = Stage::Ending;
        self.up.state = up::State::Ended;
        self.down.state = down::State::Ended;
        let lane = self.up.lane();
        for tag in self.down.asked.iter().chain(&self.up.asked) {
            link.flush(*tag, lane);
        }
    }

    fn note(&mut self, data: &[u8], link: &mut Link) -> bool {
        let write = Message::Twrite(Twrite { fid: self.ctl, offset: 0, data });
        let lane = self.up.lane();
        let sent =
            self.ctl != Fid::NOFID && link.request(&write, Purpose::Note(self.key), lane).is_some();
        self.notes += usize::from(sent);
        sent
    }
}
