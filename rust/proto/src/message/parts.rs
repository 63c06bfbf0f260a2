//! What messages are made of, and the two traits through which they are read and written.
//!
//! A [`Source`] gives fields in wire order and a [`Sink`] takes them so; the wire, the text form and
//! Python's tuples implement them. Lists are inline and at most 16 long, as walk(5) has it, so that no
//! message owns memory.

use std::ops::Deref;

use super::Stat;
use crate::ids::{Fid, MAXWELEM, Qid, Tag};

/// The names of a Twalk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Names<'a> {
    names: [&'a str; MAXWELEM],
    count: u8,
}

/// The qids of an Rwalk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Qids {
    qids: [Qid; MAXWELEM],
    count: u8,
}

/// A seventeenth name or qid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooMany;

macro_rules! list {
    ($list:ident $(<$lt:lifetime>)? of $item:ty, $items:ident) => {
        impl $(<$lt>)? $list $(<$lt>)? {
            /// A list of these.
            ///
            /// # Errors
            /// More than 16.
            pub fn new(items: &[$item]) -> Result<Self, TooMany> {
                let mut list = Self::default();
                for item in items {
                    list.push(*item)?;
                }
                Ok(list)
            }

            /// Appends one.
            ///
            /// # Errors
            /// There are 16.
            pub fn push(&mut self, item: $item) -> Result<(), TooMany> {
                let room = self.$items.get_mut(usize::from(self.count)).ok_or(TooMany)?;
                *room = item;
                self.count += 1;
                Ok(())
            }
        }

        impl $(<$lt>)? Deref for $list $(<$lt>)? {
            type Target = [$item];

            fn deref(&self) -> &[$item] {
                self.$items.get(..usize::from(self.count)).unwrap_or_default()
            }
        }
    };
}

list!(Names<'a> of &'a str, names);
list!(Qids of Qid, qids);

/// Gives the fields of a message, one call each, in wire order.
#[allow(missing_docs, reason = "each method gives what its return type says")]
#[allow(clippy::missing_errors_doc, reason = "the implementation's")]
pub trait Source<'a> {
    /// Why a field can't be given.
    type Error;

    fn u8(&mut self, field: &'static str) -> Result<u8, Self::Error>;
    fn u16(&mut self, field: &'static str) -> Result<u16, Self::Error>;
    fn u32(&mut self, field: &'static str) -> Result<u32, Self::Error>;
    fn u64(&mut self, field: &'static str) -> Result<u64, Self::Error>;
    fn qid(&mut self, field: &'static str) -> Result<Qid, Self::Error>;
    fn text(&mut self, field: &'static str) -> Result<&'a str, Self::Error>;
    fn data(&mut self, field: &'static str) -> Result<&'a [u8], Self::Error>;
    fn names(&mut self, field: &'static str) -> Result<Names<'a>, Self::Error>;
    fn qids(&mut self, field: &'static str) -> Result<Qids, Self::Error>;
    fn stat(&mut self, field: &'static str) -> Result<Stat<'a>, Self::Error>;

    #[inline]
    fn tag(&mut self, field: &'static str) -> Result<Tag, Self::Error> {
        self.u16(field).map(Tag)
    }
    #[inline]
    fn fid(&mut self, field: &'static str) -> Result<Fid, Self::Error> {
        self.u32(field).map(Fid)
    }
    fn n_uname(&mut self, field: &'static str) -> Result<u32, Self::Error> {
        self.u32(field)
    }
    fn errno(&mut self, field: &'static str) -> Result<u32, Self::Error> {
        self.u32(field)
    }
    fn extension(&mut self, field: &'static str) -> Result<&'a str, Self::Error> {
        self.text(field)
    }
    fn datasync(&mut self, field: &'static str) -> Result<u32, Self::Error> {
        self.u32(field)
    }
}

/// Takes the fields of a message, one call each, in wire order.
#[allow(missing_docs, reason = "each method takes what its argument's type says")]
#[allow(clippy::missing_errors_doc, reason = "the implementation's")]
pub trait Sink {
    /// Why a field can't be taken.
    type Error;

    fn u8(&mut self, field: &'static str, value: u8) -> Result<(), Self::Error>;
    fn u16(&mut self, field: &'static str, value: u16) -> Result<(), Self::Error>;
    fn u32(&mut self, field: &'static str, value: u32) -> Result<(), Self::Error>;
    fn u64(&mut self, field: &'static str, value: u64) -> Result<(), Self::Error>;
    fn qid(&mut self, field: &'static str, value: Qid) -> Result<(), Self::Error>;
    fn text(&mut self, field: &'static str, value: &str) -> Result<(), Self::Error>;
    fn data(&mut self, field: &'static str, value: &[u8]) -> Result<(), Self::Error>;
    fn names(&mut self, field: &'static str, value: &Names<'_>) -> Result<(), Self::Error>;
    fn qids(&mut self, field: &'static str, value: &Qids) -> Result<(), Self::Error>;
    fn stat(&mut self, field: &'static str, value: &Stat<'_>) -> Result<(), Self::Error>;

    #[inline]
    fn tag(&mut self, field: &'static str, value: Tag) -> Result<(), Self::Error> {
        self.u16(field, value.0)
    }
    #[inline]
    fn fid(&mut self, field: &'static str, value: Fid) -> Result<(), Self::Error> {
        self.u32(field, value.0)
    }
    fn n_uname(&mut self, field: &'static str, value: u32) -> Result<(), Self::Error> {
        self.u32(field, value)
    }
    fn errno(&mut self, field: &'static str, value: u32) -> Result<(), Self::Error> {
        self.u32(field, value)
    }
    fn extension(&mut self, field: &'static str, value: &str) -> Result<(), Self::Error> {
        self.text(field, value)
    }
    fn datasync(&mut self, field: &'static str, value: u32) -> Result<(), Self::Error> {
        self.u32(field, value)
    }
}

/// A type of field: which method of [`Source`] and [`Sink`] is its own.
#[allow(missing_docs, reason = "see `Source` and `Sink`")]
#[allow(clippy::missing_errors_doc, reason = "the implementation's")]
pub trait Field<'a>: Sized {
    fn read<S: Source<'a>>(source: &mut S, field: &'static str) -> Result<Self, S::Error>;
    fn write<S: Sink>(&self, sink: &mut S, field: &'static str) -> Result<(), S::Error>;
}

macro_rules! fields {
    ($($type:ty: $method:ident $(by $by:tt)?;)*) => {$(
        impl<'a> Field<'a> for $type {
            #[inline]
            fn read<S: Source<'a>>(source: &mut S, field: &'static str) -> Result<Self, S::Error> {
                source.$method(field)
            }

            #[inline]
            fn write<S: Sink>(&self, sink: &mut S, field: &'static str) -> Result<(), S::Error> {
                fields!(@put sink field self $method $($by)?)
            }
        }
    )*};
    (@put $sink:ident $field:ident $self:ident $method:ident) => {
        $sink.$method($field, *$self)
    };
    (@put $sink:ident $field:ident $self:ident $method:ident &) => {
        $sink.$method($field, $self)
    };
}

fields! {
    u8: u8;
    u16: u16;
    u32: u32;
    u64: u64;
    Tag: tag;
    Fid: fid;
    Qid: qid;
    &'a str: text;
    &'a [u8]: data;
    Names<'a>: names by &;
    Qids: qids by &;
    Stat<'a>: stat by &;
}
