//! The beginning of a session: what client and server agree on (version(5)).
//!
//! The version asked for is offered once, the plain one after an `unknown`. A server that does not
//! know our suffix answers the plain version, and is then used with one request at a time a file.

use netrelay_proto::dialect::{Dialect, WINDOWED};
use netrelay_proto::ids::{MIN_MSIZE, Tag};
use netrelay_proto::message::{Message, Tversion, decode, encode};

use super::link::Agreed;

const PLAIN: &str = "9P2000";

/// A version that is being agreed on.
#[derive(Debug)]
pub(crate) struct Hello {
    msize: u32,
    offered: String,
}

/// What an Rversion leads to.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Heard {
    /// The session speaks this.
    Agreed(Agreed),
    /// Send this: the plain version.
    Again(Vec<u8>),
}

impl Hello {
    pub(crate) fn new(msize: u32, version: &str) -> Self {
        Self { msize, offered: version.to_owned() }
    }

    /// The Tversion.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let version = Message::Tversion(Tversion { msize: self.msize, version: &self.offered });
        let mut frame = Vec::new();
        // The least msize holds any version that a caller could mean; one that does not fit is
        // an empty frame, which the server will not answer.
        let _ = encode(Tag::NOTAG, &version, Dialect::P2000, MIN_MSIZE, &mut frame);
        frame
    }

    /// Takes the answer.
    ///
    /// # Errors
    /// It is no Rversion, or agrees to what was not offered.
    pub(crate) fn heard(&mut self, frame: &[u8]) -> Result<Heard, String> {
        let (_, message) = decode(frame, Dialect::P2000).map_err(|error| error.to_string())?;
        let answer = match message {
            Message::Rversion(answer) => answer,
            Message::Rerror(error) => return Err(format!("version refused: {}", error.ename)),
            other => return Err(format!("{} in reply to Tversion", other.name())),
        };
        if answer.version == "unknown" && self.offered != PLAIN {
            self.offered = PLAIN.into();
            return Ok(Heard::Again(self.frame()));
        }
        if answer.version != self.offered && answer.version != PLAIN {
            return Err("Rversion with a version not offered".into());
        }
        if answer.msize > self.msize || answer.msize < 256 {
            return Err(format!("Rversion with msize {}", answer.msize));
        }
        Ok(Heard::Agreed(Agreed {
            dialect: Dialect::of(answer.version),
            msize: answer.msize,
            windowed: answer.version == WINDOWED,
        }))
    }
}

#[cfg(test)]
mod tests {
    use netrelay_proto::message::Rversion;

    use super::*;

    fn answer(version: &str, msize: u32) -> Vec<u8> {
        let mut frame = Vec::new();
        let message = Message::Rversion(Rversion { msize, version });
        encode(Tag::NOTAG, &message, Dialect::P2000, 4096, &mut frame).expect("a small frame");
        frame
    }

    #[test]
    fn a_server_of_ours_promises_the_window_and_any_other_does_not() {
        for (version, windowed) in [(WINDOWED, true), (PLAIN, false)] {
            let heard = Hello::new(65536, WINDOWED).heard(&answer(version, 8192));
            let agreed = Agreed { dialect: Dialect::P2000, msize: 8192, windowed };
            assert_eq!(heard, Ok(Heard::Agreed(agreed)));
        }
    }

    #[test]
    fn unknown_is_asked_once_more_for_the_plain_version() {
        let mut hello = Hello::new(65536, WINDOWED);
        let again = hello.heard(&answer("unknown", 8192));
        assert_eq!(again, Ok(Heard::Again(Hello::new(65536, PLAIN).frame())));
        assert!(hello.heard(&answer("unknown", 8192)).is_err());
    }

    #[test]
    fn an_answer_beyond_the_offer_ends_the_session() {
        assert!(Hello::new(8192, PLAIN).heard(&answer(PLAIN, 8193)).is_err());
        assert!(Hello::new(8192, PLAIN).heard(&answer("9P2000.L", 8192)).is_err());
    }
}
