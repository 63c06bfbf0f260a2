//! Messages as lines.

use std::convert::Infallible;
use std::fmt::{Display, Write};

use super::{LETTERS, is_bits};
use crate::ids::{Fid, Qid, Tag};
use crate::message::{Message, Names, Qids, Sink, Stat};

/// Appends the line of a message, without its newline.
pub fn print(tag: Tag, message: &Message<'_>, out: &mut String) {
    out.push_str(message.name());
    let mut words = Words { out, first: false };
    let (Ok(()), Ok(())) = (words.tag("tag", tag), message.write(&mut words));
}

struct Words<'o> {
    out: &'o mut String,
    first: bool,
}

impl Words<'_> {
    fn name(&mut self, field: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(' ');
        }
        self.out.push_str(field);
        self.out.push(' ');
    }

    fn put(&mut self, value: impl Display) {
        // A String takes everything.
        let _ = write!(self.out, "{value}");
    }

    fn number(&mut self, field: &str, value: u64) {
        self.name(field);
        if is_bits(field) {
            self.put(format_args!("{value:#x}"));
        } else {
            self.put(value);
        }
    }

    fn list<T>(&mut self, field: &str, items: &[T], put: impl Fn(&mut Self, &T)) {
        self.name(field);
        self.out.push('[');
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                self.out.push(' ');
            }
            put(self, item);
        }
        self.out.push(']');
    }

    fn put_qid(&mut self, qid: Qid) {
        self.put(format_args!("({:016x} {} ", qid.path, qid.vers));
        let set = LETTERS.chars().enumerate().filter(|(at, _)| qid.kind & (0x80 >> at) != 0);
        self.out.extend(set.map(|(_, letter)| letter));
        self.out.push_str(if qid.kind == 0 { "-)" } else { ")" });
    }

    fn put_text(&mut self, text: &str) {
        self.out.push('"');
        text.chars().for_each(|letter| self.put_char(letter));
        self.out.push('"');
    }

    fn put_char(&mut self, letter: char) {
        match letter {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\0'..' ' | '\x7f' => self.put(format_args!("\\x{:02x}", u32::from(letter))),
            _ => self.out.push(letter),
        }
    }
}

impl Sink for Words<'_> {
    type Error = Infallible;

    fn u8(&mut self, field: &'static str, value: u8) -> Result<(), Infallible> {
        self.number(field, u64::from(value));
        Ok(())
    }

    fn u16(&mut self, field: &'static str, value: u16) -> Result<(), Infallible> {
        self.number(field, u64::from(value));
        Ok(())
    }

    fn u32(&mut self, field: &'static str, value: u32) -> Result<(), Infallible> {
        self.number(field, u64::from(value));
        Ok(())
    }

    fn u64(&mut self, field: &'static str, value: u64) -> Result<(), Infallible> {
        self.number(field, value);
        Ok(())
    }

    fn tag(&mut self, field: &'static str, value: Tag) -> Result<(), Infallible> {
        if value != Tag::NOTAG {
            return self.u16(field, value.0);
        }
        self.name(field);
        self.out.push_str("NOTAG");
        Ok(())
    }

    fn fid(&mut self, field: &'static str, value: Fid) -> Result<(), Infallible> {
        if value != Fid::NOFID {
            return self.u32(field, value.0);
        }
        self.name(field);
        self.out.push_str("NOFID");
        Ok(())
    }

    fn qid(&mut self, field: &'static str, value: Qid) -> Result<(), Infallible> {
        self.name(field);
        self.put_qid(value);
        Ok(())
    }

    fn text(&mut self, field: &'static str, value: &str) -> Result<(), Infallible> {
        self.name(field);
        self.put_text(value);
        Ok(())
    }

    fn data(&mut self, field: &'static str, value: &[u8]) -> Result<(), Infallible> {
        self.name(field);
        self.out.push('"');
        for byte in value {
            if byte.is_ascii() {
                self.put_char(char::from(*byte));
            } else {
                self.put(format_args!("\\x{byte:02x}"));
            }
        }
        self.out.push('"');
        Ok(())
    }

    fn names(&mut self, field: &'static str, value: &Names<'_>) -> Result<(), Infallible> {
        self.list(field, value, |words, name| words.put_text(name));
        Ok(())
    }

    fn qids(&mut self, field: &'static str, value: &Qids) -> Result<(), Infallible> {
        self.list(field, value, |words, qid| words.put_qid(*qid));
        Ok(())
    }

    fn stat(&mut self, field: &'static str, value: &Stat<'_>) -> Result<(), Infallible> {
        self.name(field);
        self.out.push('{');
        self.first = true;
        let Ok(()) = value.write_fields(self);
        self.out.push('}');
        Ok(())
    }
}
