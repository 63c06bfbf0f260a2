//! The fid numbers of an importer: lowest free first.
//!
//! They are given out by the handle as well as by the worker, for the embedding program names
//! fids in its own requests. A number comes back only when the server has answered its Tclunk,
//! or when the request that was to make it failed.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::ids::Fid;

/// The numbers in use are those from `least` to `next` that are not in `free`.
#[derive(Debug)]
pub(crate) struct Fids(Mutex<Numbers>);

#[derive(Debug)]
struct Numbers {
    least: u32,
    next: u32,
    free: BTreeSet<u32>,
}

impl Fids {
    /// All numbers above that of the root, which lives as long as the session.
    pub(crate) fn after(root: Fid) -> Self {
        let numbers = Numbers { least: root.0 + 1, next: root.0 + 1, free: BTreeSet::new() };
        Self(Mutex::new(numbers))
    }

    /// The lowest number not in use.
    pub(crate) fn take(&self) -> Fid {
        let mut numbers = self.numbers();
        if let Some(number) = numbers.free.pop_first() {
            return Fid(number);
        }
        let number = numbers.next;
        numbers.next = number.saturating_add(1);
        Fid(number)
    }

    /// Makes a number free again; one that is free already, or was never given out, stays as it is.
    pub(crate) fn give(&self, fid: Fid) {
        let mut numbers = self.numbers();
        if (numbers.least..numbers.next).contains(&fid.0) {
            numbers.free.insert(fid.0);
        }
    }

    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        // A panic elsewhere leaves an integer and a set of them: still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_comes_first() {
        let fids = Fids::after(Fid(0));
        let [one, two, three] = [fids.take(), fids.take(), fids.take()];
        fids.give(two);
        fids.give(one);
        fids.give(one);
        fids.give(Fid(0));
        assert_eq!([one, two, three].map(|fid| fid.0), [1, 2, 3]);
        assert_eq!([fids.take().0, fids.take().0, fids.take().0], [1, 2, 4]);
    }
}
