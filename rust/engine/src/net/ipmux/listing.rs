//! The filters of all conversations of a stack, for the text of stats.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The texts of filters, by conversation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    texts: Arc<Mutex<BTreeMap<u32, String>>>,
}

/// A filter that is listed for as long as this lives.
#[derive(Debug)]
pub(crate) struct Listed {
    number: u32,
    listing: Listing,
}

impl Listing {
    /// Lists the filter of a conversation.
    pub(super) fn add(&self, number: u32, text: String) -> Listed {
        self.texts().insert(number, text);
        Listed { number, listing: self.clone() }
    }

    /// The text of the protocol's stats.
    pub(crate) fn text(&self) -> String {
        self.texts().values().map(String::as_str).collect()
    }

    fn texts(&self) -> MutexGuard<'_, BTreeMap<u32, String>> {
        // No call in a locked section panics but for want of memory, which aborts.
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.listing.texts().remove(&self.number);
    }
}
