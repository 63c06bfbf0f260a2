//! Messages on their way: those that are not yet acknowledged, and what was asked about them.
//!
//! Their ids follow each other, so the queue needs no numbers. A message is held as the packet that it
//! travels in, and only its header is written anew when it is sent again.

use std::collections::VecDeque;

use super::packet::{HEADER, Packet};
use super::{IP_HEADER, WINDOW, after};

/// Unacknowledged messages, at most [`WINDOW`].
#[derive(Clone, Debug)]
pub(super) struct Sent {
    /// The oldest message's id, or the next one's if there is none.
    pub(super) oldest: u32,
    /// The next message's id.
    pub(super) next: u32,
    /// Bytes under way, headers included, IP's too.
    pub(super) bytes: u64,
    packets: VecDeque<Vec<u8>>,
    /// By query, the newest message that had been sent when it was made; nothing once it was answered.
    asked: [Option<u32>; QUERIES],
    query: u8,
}

/// Queries told apart, from 1; the original calls the first one 2.
const QUERIES: usize = 8;

impl Sent {
    pub(super) fn new(next: u32) -> Self {
        let packets = VecDeque::with_capacity(WINDOW);
        Self { oldest: next, next, bytes: 0, packets, asked: [None; QUERIES], query: 1 }
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Takes a message and gives its id and its bytes, headers included.
    pub(super) fn push(&mut self, message: &[u8]) -> (u32, u64) {
        let mut packet = Vec::with_capacity(HEADER + message.len());
        packet.extend_from_slice(&[0; HEADER]);
        packet.extend_from_slice(message);
        let (id, bytes) = (self.next, size(&packet));
        self.bytes += bytes;
        self.packets.push_back(packet);
        self.next = id.wrapping_add(1);
        (id, bytes)
    }

    /// Forgets every message up to `ack`; false if that is none, or one that was never sent.
    pub(super) fn acknowledge(&mut self, ack: u32) -> bool {
        let done = ack.wrapping_add(1).wrapping_sub(self.oldest);
        if done == 0 || done > self.next.wrapping_sub(self.oldest) {
            return false;
        }
        let gone = self.packets.drain(..done as usize);
        self.bytes -= gone.map(|packet| size(&packet)).sum::<u64>();
        self.oldest = ack.wrapping_add(1);
        true
    }

    /// Whether `ack` is what a live peer's close can say: not less than it said before, and at most that a
    /// close of ours came.
    pub(super) fn covers(&self, ack: u32) -> bool {
        let least = self.oldest.wrapping_sub(1);
        ack.wrapping_sub(least) <= self.next.wrapping_sub(least)
    }

    /// The place of a message that is still held.
    pub(super) fn place(&self, id: u32) -> Option<usize> {
        let place = id.wrapping_sub(self.oldest) as usize;
        (place < self.packets.len()).then_some(place)
    }

    /// The packet at that place, under a header like `like`.
    pub(super) fn packet(&mut self, place: usize, like: Packet<'_>) -> &[u8] {
        let Some(packet) = self.packets.get_mut(place) else { return &[] };
        if let Some((header, data)) = packet.split_first_chunk_mut() {
            *header = Packet { data, ..like }.header();
        }
        packet
    }

    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.oldest = self.next;
        self.bytes = 0;
    }

    /// The number of a query that goes with the oldest message, sent again now. What answers earlier
    /// queries can't know of it, and must not have it sent once more.
    pub(super) fn ask_anew(&mut self) -> u8 {
        self.asked = [None; QUERIES];
        self.ask()
    }

    /// The number of a query that is made now.
    pub(super) fn ask(&mut self) -> u8 {
        self.query = if usize::from(self.query) < QUERIES { self.query + 1 } else { 1 };
        if let Some(asked) = self.asked.get_mut(usize::from(self.query) - 1) {
            *asked = Some(self.next.wrapping_sub(1));
        }
        self.query
    }

    /// A query is answered: whether the other side lacks something that was sent before it.
    ///
    /// Only the first answer counts, or a link that doubles packets would double retransmissions for ever.
    /// An answer without a number was not asked for, or is an old implementation's.
    pub(super) fn answered(&mut self, query: u8, ack: u32) -> bool {
        let asked = usize::from(query).checked_sub(1).and_then(|query| self.asked.get_mut(query));
        match asked {
            Some(asked) => asked.take().is_some_and(|newest| after(newest, ack)),
            None => after(self.next.wrapping_sub(1), ack),
        }
    }
}

fn size(packet: &[u8]) -> u64 {
    (IP_HEADER + packet.len()) as u64
}
