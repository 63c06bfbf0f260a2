//! Who has which conversation of one protocol of one stack: a table that all workers share.
//!
//! A mutex guards it, taken at a clone, at opens and clunks of ctl, data and err, and for stats and
//! listings; never while bytes move. Numbers are the lowest free ones, so that both cores give the
//! same, and a number once used stays in the listing for ever, as the original has it.
//!
//! It knows nothing of sockets. When the last open is gone the number is free at that moment; the
//! worker that held the conversation must be told, and must expect that the number is in use again
//! when it is.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use netrelay_proto::error::Refusal;

use crate::tree::access::permits;
use crate::tree::qid::MAX_CONVERSATIONS;
use crate::tree::wstat::Change;
use crate::tree::{FIRST_MODE, Standing};

/// The numbers of one protocol of one stack.
#[derive(Debug)]
pub(crate) struct Registry {
    host_owner: Box<str>,
    limit: u32,
    table: Mutex<Table>,
}

/// How an open of ctl, data or err found its conversation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Opened {
    /// It was idle; the opener's worker holds it from now on and must make it.
    Claimed,
    /// It is held by this worker.
    Held(u16),
}

impl Registry {
    /// No conversation yet, and never more than `limit` (or what the qid has room for).
    pub(crate) fn new(host_owner: &str, limit: u32) -> Self {
        let limit = limit.min(MAX_CONVERSATIONS);
        Self { host_owner: host_owner.into(), limit, table: Mutex::default() }
    }

    /// Takes the lowest free number for a clone by `owner`, or a call to a conversation of theirs,
    /// with one open (the ctl that the clone or listen becomes).
    ///
    /// # Errors
    /// `no free devices`.
    pub(crate) fn allocate(&self, owner: &str, worker: u16) -> Result<u32, Refusal> {
        let mut table = self.table();
        let number = match table.free.pop_first() {
            Some(number) => number,
            None => table.grow(self.limit).ok_or(Refusal::NO_FREE_DEVICES)?,
        };
        table.hold(number, owner, worker);
        Ok(number)
    }

    /// Counts an open of ctl, data or err of `number` with `mode` by `user`. An idle number
    /// becomes theirs, held by `worker`.
    ///
    /// # Errors
    /// `permission denied`; `file does not exist` for a number never used.
    pub(crate) fn open(
        &self,
        number: u32,
        mode: u8,
        user: &str,
        worker: u16,
    ) -> Result<Opened, Refusal> {
        let mut table = self.table();
        let standing = table.standing(number).ok_or(Refusal::FILE_DOES_NOT_EXIST)?;
        if !permits(&standing, mode, user, &self.host_owner) {
            return Err(Refusal::PERMISSION_DENIED);
        }
        if let Some(held) = table.held(number) {
            held.opens += 1;
            return Ok(Opened::Held(held.worker));
        }
        table.free.remove(&number);
        table.hold(number, user, worker);
        Ok(Opened::Claimed)
    }

    /// Counts a clunk of an opened ctl, data or err. At the last one the number is free again, and
    /// the worker that held the conversation is returned: it must end it.
    pub(crate) fn close(&self, number: u32) -> Option<u16> {
        let mut table = self.table();
        let held = table.held(number)?;
        held.opens -= 1;
        if held.opens > 0 {
            return None;
        }
        let worker = held.worker;
        if let Some(slot) = table.slot(number) {
            *slot = None;
        }
        table.free.insert(number);
        Some(worker)
    }

    /// The worker that holds `number`; none for an idle one.
    pub(crate) fn worker(&self, number: u32) -> Option<u16> {
        self.table().held(number).map(|held| held.worker)
    }

    /// Whose `number` is; none for an idle one.
    pub(crate) fn owner(&self, number: u32) -> Option<Arc<str>> {
        self.table().held(number).map(|held| Arc::clone(&held.owner))
    }

    /// Carries out a permitted wstat. On a number that has become idle it changes nothing.
    pub(crate) fn change(&self, number: u32, change: Change<'_>) {
        let mut table = self.table();
        if let Some(held) = table.held(number) {
            held.mode = change.mode.unwrap_or(held.mode);
            if let Some(owner) = change.owner {
                held.owner = owner.into();
            }
        }
    }

    /// Conversations there can be: `MaxConn` of stats.
    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }

    /// How many numbers were ever used.
    pub(crate) fn count(&self) -> u32 {
        self.table().count()
    }

    /// Whose `number` is.
    pub(crate) fn standing(&self, number: u32) -> Standing {
        self.table().standing(number).unwrap_or_else(Standing::idle)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // No call in a locked section panics but for want of memory, which aborts.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A slot for every number ever used; what is in none of them is in `free`.
#[derive(Debug, Default)]
struct Table {
    slots: Vec<Option<Held>>,
    free: BTreeSet<u32>,
    /// The owner that was named last: a session's conversations share the name.
    last_owner: Option<Arc<str>>,
}

/// A conversation in use.
#[derive(Debug)]
struct Held {
    owner: Arc<str>,
    mode: u32,
    /// Opens of ctl, data and err, at least one. A fid each, so 32 bits can't overflow.
    opens: u32,
    worker: u16,
}

impl Table {
    fn count(&self) -> u32 {
        // `grow` stops far below.
        u32::try_from(self.slots.len()).unwrap_or(u32::MAX)
    }

    fn grow(&mut self, limit: u32) -> Option<u32> {
        let number = self.count();
        if number >= limit {
            return None;
        }
        self.slots.push(None);
        Some(number)
    }

    fn slot(&mut self, number: u32) -> Option<&mut Option<Held>> {
        self.slots.get_mut(usize::try_from(number).ok()?)
    }

    fn held(&mut self, number: u32) -> Option<&mut Held> {
        self.slot(number)?.as_mut()
    }

    fn hold(&mut self, number: u32, name: &str, worker: u16) {
        let owner = self.last_owner.take().filter(|last| **last == *name);
        let owner = owner.unwrap_or_else(|| name.into());
        self.last_owner = Some(Arc::clone(&owner));
        let held = Held { owner, mode: FIRST_MODE, opens: 1, worker };
        if let Some(slot) = self.slot(number) {
            *slot = Some(held);
        }
    }

    /// None for a number never used.
    fn standing(&mut self, number: u32) -> Option<Standing> {
        let slot = self.slot(number)?;
        Some(slot.as_ref().map_or_else(Standing::idle, |held| Standing {
            owner: Arc::clone(&held.owner),
            mode: held.mode,
            busy: true,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use netrelay_proto::ids::mode::{ORDWR, OREAD};

    fn registry(limit: u32) -> Registry {
        Registry::new("gate", limit)
    }

    #[test]
    fn numbers_are_the_lowest_free_ones_up_to_the_limit() {
        let registry = registry(3);
        for number in 0..3 {
            assert_eq!(registry.allocate("glenda", 0), Ok(number));
        }
        assert_eq!(registry.allocate("glenda", 0), Err(Refusal::NO_FREE_DEVICES));
        assert_eq!(registry.close(2), Some(0));
        assert_eq!(registry.close(1), Some(0));
        assert_eq!(registry.allocate("glenda", 0), Ok(1));
        assert_eq!(registry.allocate("glenda", 0), Ok(2));
        assert_eq!(registry.allocate("glenda", 0), Err(Refusal::NO_FREE_DEVICES));
    }

    #[test]
    fn a_number_once_used_stays_in_the_listing() {
        let registry = registry(8);
        assert_eq!(registry.count(), 0);
        registry.allocate("glenda", 0).unwrap();
        registry.close(0);
        assert_eq!(registry.count(), 1);
        assert_eq!(registry.standing(0), Standing::idle());
        assert_eq!((registry.worker(0), registry.owner(0)), (None, None));
    }

    #[test]
    fn the_last_close_frees_and_tells_who_held_it() {
        let registry = registry(8);
        registry.allocate("glenda", 3).unwrap();
        assert_eq!(registry.open(0, ORDWR, "glenda", 1), Ok(Opened::Held(3)));
        assert_eq!(registry.close(0), None);
        assert_eq!(registry.close(0), Some(3));
        assert_eq!(registry.close(0), None);
        assert_eq!(registry.close(7), None);
    }

    #[test]
    fn an_idle_number_becomes_its_openers() {
        let registry = registry(8);
        registry.allocate("glenda", 3).unwrap();
        registry.change(0, Change { mode: Some(0o666), owner: None });
        registry.close(0);
        assert_eq!(registry.open(0, ORDWR, "rob", 1), Ok(Opened::Claimed));
        let standing = Standing { owner: "rob".into(), mode: 0o660, busy: true };
        assert_eq!(registry.standing(0), standing);
        assert_eq!((registry.worker(0), registry.owner(0)), (Some(1), Some("rob".into())));
        assert_eq!(registry.allocate("glenda", 0), Ok(1));
    }

    #[test]
    fn opens_by_number_need_permission() {
        let registry = registry(8);
        registry.allocate("glenda", 0).unwrap();
        assert_eq!(registry.open(0, OREAD, "rob", 0), Err(Refusal::PERMISSION_DENIED));
        assert_eq!(registry.open(0, ORDWR, "gate", 0), Ok(Opened::Held(0)));
        registry.change(0, Change { mode: Some(0o664), owner: None });
        assert_eq!(registry.open(0, OREAD, "rob", 0), Ok(Opened::Held(0)));
        registry.change(0, Change { mode: None, owner: Some("rob") });
        assert_eq!(registry.open(0, ORDWR, "rob", 0), Ok(Opened::Held(0)));
        assert_eq!(registry.open(0, ORDWR, "glenda", 0), Err(Refusal::PERMISSION_DENIED));
        assert_eq!(registry.open(1, OREAD, "gate", 0), Err(Refusal::FILE_DOES_NOT_EXIST));
    }

    #[test]
    fn a_change_of_an_idle_number_is_lost() {
        let registry = registry(8);
        registry.allocate("glenda", 0).unwrap();
        registry.close(0);
        registry.change(0, Change { mode: Some(0o666), owner: Some("rob") });
        assert_eq!(registry.standing(0), Standing::idle());
    }

    #[test]
    fn the_qid_bounds_the_limit() {
        assert_eq!(registry(u32::MAX).limit(), 1 << 20);
        assert_eq!(registry(0).allocate("glenda", 0), Err(Refusal::NO_FREE_DEVICES));
    }
}
