//! The fid numbers of an importer: lowest free first.
//!
//! They are given out by the handle as well as by the worker, for the embedding program names
//! fids in its own requests. A number comes back only when the server has answered its Tclunk,
//! or when the request that was to make it failed.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::ids::Fid;

/// The numbers in use are those below `next` that are not in `free`.
#[derive(Debug, Default)]
pub(crate) struct Fids(Mutex<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    next: u32,
    free: BTreeSet<u32>,
}

impl Fids {
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
        if fid.0 < numbers.next {
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
        let fids = Fids::default();
        let [zero, one, two] = [fids.take(), fids.take(), fids.take()];
        fids.give(one);
        fids.give(zero);
        fids.give(zero);
        assert_eq!([zero, one, two].map(|fid| fid.0), [0, 1, 2]);
        assert_eq!([fids.take().0, fids.take().0, fids.take().0], [0, 1, 3]);
    }
}
