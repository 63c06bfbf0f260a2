//! Messages: one struct each, one table for all, payloads borrowed.
//!
//! The tables in the files beside this one read like the manual: number, name, fields in wire order.
//! From a table come the struct, and how it is read from a [`Source`] and written to a [`Sink`].
//! The wire is one such pair, the text form another, Python's tuples a third; so a field is named
//! in one place only. Nothing here knows whether a message is allowed now: that is the session's business.

mod data;
mod linux;
mod open;
mod parts;
mod session;
mod stat;
mod walk;
mod wire;

pub use self::data::*;
pub use self::linux::*;
pub use self::open::*;
pub use self::parts::{Field, Names, Qids, Sink, Source};
pub use self::session::*;
pub use self::stat::*;
pub use self::walk::*;
pub use self::wire::{decode, encode};

/// Declares message structs: `number Name<'a> { field: Type, … }`, fields in wire order.
///
/// `field: Type as method` reads and writes the field by that method of [`Source`] and [`Sink`]: the
/// fields that only some dialects have. `field: Type = "name"` is for a name that Rust keeps to itself.
macro_rules! messages {
    ($($(#[$doc:meta])* $number:literal $name:ident $(<$lt:lifetime>)? {
        $($field:ident: $type:ty $(as $method:ident)? $(= $wire:literal)?,)*
    })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[allow(missing_docs, reason = "the manual describes the fields; the table shows them")]
        pub struct $name $(<$lt>)? { $(pub $field: $type,)* }

        impl $(<$lt>)? $name $(<$lt>)? {
            /// The type on the wire.
            pub const KIND: u8 = $number;
            /// The name in the manual.
            pub const NAME: &'static str = stringify!($name);
        }

        impl<'s> $crate::message::Body<'s> for messages!(@on 's $name $(<$lt>)?) {
            #[inline]
            #[allow(unused_variables, reason = "a message may have no fields")]
            fn read<S: $crate::message::Source<'s>>(source: &mut S) -> Result<Self, S::Error> {
                Ok(Self { $($field: messages!(@read source $field $($method)? $($wire)?),)* })
            }

            #[inline]
            #[allow(unused_variables, reason = "a message may have no fields")]
            fn write<S: $crate::message::Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
                $(messages!(@write self sink $field $($method)? $($wire)?);)*
                Ok(())
            }
        }
    )*};
    (@on $s:lifetime $name:ident <$lt:lifetime>) => { $name<$s> };
    (@on $s:lifetime $name:ident) => { $name };
    (@read $source:ident $field:ident) => {
        $crate::message::Field::read($source, stringify!($field))?
    };
    (@read $source:ident $field:ident $wire:literal) => {
        $crate::message::Field::read($source, $wire)?
    };
    (@read $source:ident $field:ident $method:ident) => {
        $source.$method(stringify!($field))?
    };
    (@write $self:ident $sink:ident $field:ident) => {
        $crate::message::Field::write(&$self.$field, $sink, stringify!($field))?
    };
    (@write $self:ident $sink:ident $field:ident $wire:literal) => {
        $crate::message::Field::write(&$self.$field, $sink, $wire)?
    };
    (@write $self:ident $sink:ident $field:ident $method:ident) => {
        $sink.$method(stringify!($field), $self.$field)?
    };
}
use messages;

/// What the table gives every message.
pub(crate) trait Body<'a>: Sized {
    fn read<S: Source<'a>>(source: &mut S) -> Result<Self, S::Error>;
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error>;
}

macro_rules! union {
    ($($name:ident $(<$lt:lifetime>)?)*) => {
        /// Any message.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        #[allow(missing_docs, reason = "the structs are documented")]
        #[non_exhaustive]
        pub enum Message<'a> { $($name($name $(<$lt>)?),)* }

        impl<'a> Message<'a> {
            /// The type on the wire.
            #[inline]
            pub fn kind(&self) -> u8 {
                match self { $(Self::$name(_) => <$name $(<$lt>)?>::KIND,)* }
            }

            /// The name in the manual.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$name(_) => <$name $(<$lt>)?>::NAME,)* }
            }

            /// Hands the fields to `sink` in wire order.
            ///
            /// # Errors
            /// The sink's.
            #[inline]
            pub fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
                match self { $(Self::$name(body) => body.write(sink),)* }
            }

            /// The message of that type with the fields that `source` gives; none for no such type.
            ///
            /// # Errors
            /// The source's.
            #[inline]
            pub fn read<S: Source<'a>>(kind: u8, source: &mut S) -> Result<Option<Self>, S::Error> {
                Ok(Some(match kind {
                    $(<messages!(@on 'static $name $(<$lt>)?)>::KIND => Self::$name(Body::read(source)?),)*
                    _ => return Ok(None),
                }))
            }
        }

        $(impl<'a> From<$name $(<$lt>)?> for Message<'a> {
            fn from(body: $name $(<$lt>)?) -> Self { Self::$name(body) }
        })*

        /// Every message there is: type and name, in the order of the tables.
        pub const ALL: &[(u8, &str)] = &[$((<messages!(@on 'static $name $(<$lt>)?)>::KIND, <messages!(@on 'static $name $(<$lt>)?)>::NAME),)*];

        /// The name of a message type, `frame` for none.
        pub const fn name_of(kind: u8) -> &'static str {
            match kind {
                $(<messages!(@on 'static $name $(<$lt>)?)>::KIND => <messages!(@on 'static $name $(<$lt>)?)>::NAME,)*
                _ => "frame",
            }
        }
    };
}

union! {
    Tversion<'a> Rversion<'a> Tauth<'a> Rauth Tattach<'a> Rattach Rerror<'a> Tflush Rflush
    Twalk<'a> Rwalk Topen Ropen Tcreate<'a> Rcreate Tread Rread<'a> Twrite<'a> Rwrite
    Tclunk Rclunk Tremove Rremove Tstat Rstat<'a> Twstat<'a> Rwstat
    Rlerror Tstatfs Rstatfs Tlopen Rlopen Tlcreate<'a> Rlcreate Tsymlink<'a> Rsymlink
    Tmknod<'a> Rmknod Trename<'a> Rrename Treadlink Rreadlink<'a> Tgetattr Rgetattr
    Tsetattr Rsetattr Txattrwalk<'a> Rxattrwalk Txattrcreate<'a> Rxattrcreate
    Treaddir Rreaddir<'a> Tfsync Rfsync Tlock<'a> Rlock Tgetlock<'a> Rgetlock<'a>
    Tlink<'a> Rlink Tmkdir<'a> Rmkdir Trenameat<'a> Rrenameat Tunlinkat<'a> Runlinkat
}
