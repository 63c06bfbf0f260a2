//! etherN: whole Ethernet frames of an interface, in and out (ether(3); docs/ether.md).
//!
//! A slot is what a conversation is elsewhere: a packet socket with a filter for what the slot was
//! told to take. What the slots of one interface share is [`interface::Interface`].

mod filter;
mod frames;
pub(crate) mod interface;
mod link;
mod rtnetlink;
mod slot;
mod verbs;

pub(crate) use self::slot::Slot;
