//! Lines as messages.

use std::ops::Range;

use super::LETTERS;
use crate::error::UsageError;
use crate::ids::{Fid, Qid, Tag};
use crate::message::{ALL, Message, Names, Qids, Source, Stat};

/// A line cut into words, with the quoting undone.
#[derive(Clone, Debug)]
pub struct Line<'t> {
    tokens: Vec<(usize, Token<'t>)>,
    /// What the quoted words say, one after the other.
    plain: Vec<u8>,
    end: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Token<'t> {
    Word(&'t str),
    Quoted(Range<usize>),
    Qid(Qid),
    Mark(char),
}

impl<'t> Line<'t> {
    /// Cuts a line.
    ///
    /// # Errors
    /// A quote is not closed, an escape is none, a qid is none; the place is in bytes.
    pub fn read(text: &'t str) -> Result<Self, UsageError> {
        let mut line = Self { tokens: Vec::new(), plain: Vec::new(), end: text.len() };
        let mut left = text;
        loop {
            left = left.trim_start_matches(' ');
            let place = text.len() - left.len();
            let Some(first) = left.chars().next() else { return Ok(line) };
            let (token, rest) = match first {
                '"' => line.quoted(left, place)?,
                '(' => qid(left).ok_or_else(|| wrong(place, "a qid"))?,
                '[' | ']' | '{' | '}' => (Token::Mark(first), left.split_at(1).1),
                ')' => return Err(wrong(place, "a word")),
                _ => {
                    let end = left.find([' ', '"', '[', ']', '{', '}', '(', ')']);
                    let (word, rest) = left.split_at(end.unwrap_or(left.len()));
                    (Token::Word(word), rest)
                }
            };
            line.tokens.push((place, token));
            left = rest;
        }
    }

    /// The tag and message that the line says.
    ///
    /// # Errors
    /// It says none.
    pub fn message(&self) -> Result<(Tag, Message<'_>), UsageError> {
        let mut words = Words { line: self, at: 0 };
        let name = words.word("a message")?;
        let kind = ALL.iter().find(|(_, each)| *each == name).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| wrong(0, "a message"))?;
        let tag = words.tag("tag")?;
        let message = Message::read(kind, &mut words)?;
        let message = message.ok_or_else(|| wrong(0, "a message"))?;
        if words.at < self.tokens.len() {
            return Err(wrong(words.place(), "the end"));
        }
        Ok((tag, message))
    }

    fn quoted(&mut self, left: &'t str, place: usize) -> Result<(Token<'t>, &'t str), UsageError> {
        // Only behind this word are the characters bytes.
        let payload = matches!(self.tokens.last(), Some((_, Token::Word("data"))));
        let (begin, mut chars) = (self.plain.len(), left.char_indices());
        chars.next();
        while let Some((at, letter)) = chars.next() {
            let letter = match letter {
                '"' => {
                    let rest = left.get(at + 1..).unwrap_or_default();
                    return Ok((Token::Quoted(begin..self.plain.len()), rest));
                }
                '\\' => {
                    let (escaped, length) = left
                        .get(at + 1..)
                        .and_then(escape)
                        .ok_or_else(|| wrong(place + at, "an escape"))?;
                    chars.nth(length - 1);
                    escaped
                }
                letter => letter,
            };
            if payload {
                let byte = u8::try_from(letter).map_err(|_| wrong(place, "bytes"))?;
                self.plain.push(byte);
            } else {
                self.plain.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Err(wrong(place, "a closing quote"))
    }
}

/// What stands behind a backslash, and its length.
fn escape(behind: &str) -> Option<(char, usize)> {
    Some(match *behind.as_bytes() {
        [b'"', ..] => ('"', 1),
        [b'\\', ..] => ('\\', 1),
        [b'n', ..] => ('\n', 1),
        [b'r', ..] => ('\r', 1),
        [b't', ..] => ('\t', 1),
        [b'x', high, low, ..] => (char::from(hex(high)? << 4 | hex(low)?), 3),
        _ => return None,
    })
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

fn qid(left: &str) -> Option<(Token<'_>, &str)> {
    let (inside, rest) = left.strip_prefix('(')?.split_once(')')?;
    let mut parts = inside.split(' ');
    let (path, vers, letters) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || path.len() != 16 || !path.bytes().all(|c| hex(c).is_some()) {
        return None;
    }
    let mut kind = 0;
    for letter in letters.chars().filter(|_| letters != "-") {
        kind |= 0x80 >> LETTERS.find(letter)?;
    }
    let digits = !vers.is_empty() && vers.bytes().all(|c| c.is_ascii_digit());
    let vers = vers.parse().ok().filter(|_| digits && !letters.is_empty())?;
    Some((Token::Qid(Qid { kind, vers, path: u64::from_str_radix(path, 16).ok()? }), rest))
}

#[cold]
fn wrong(place: usize, expected: &'static str) -> UsageError {
    UsageError::Text { place, expected }
}

/// Reads fields from a line.
struct Words<'l> {
    line: &'l Line<'l>,
    at: usize,
}

impl<'l> Words<'l> {
    fn place(&self) -> usize {
        self.line.tokens.get(self.at).map_or(self.line.end, |(place, _)| *place)
    }

    fn take<T>(
        &mut self,
        expected: &'static str,
        pick: impl FnOnce(&'l Token<'l>) -> Option<T>,
    ) -> Result<T, UsageError> {
        let next = self.line.tokens.get(self.at);
        let picked = next.and_then(|(_, token)| pick(token));
        let value = picked.ok_or_else(|| wrong(self.place(), expected))?;
        self.at += 1;
        Ok(value)
    }

    fn word(&mut self, expected: &'static str) -> Result<&'l str, UsageError> {
        self.take(expected, |token| match token {
            Token::Word(word) => Some(*word),
            _ => None,
        })
    }

    fn name(&mut self, field: &'static str) -> Result<(), UsageError> {
        self.take(field, |token| (*token == Token::Word(field)).then_some(()))
    }

    fn mark(&mut self, mark: char) -> Result<(), UsageError> {
        self.take("a bracket", |token| (*token == Token::Mark(mark)).then_some(()))
    }

    fn number<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, UsageError> {
        self.name(field)?;
        self.value()
    }

    fn value<T: TryFrom<u64>>(&mut self) -> Result<T, UsageError> {
        self.take("a number that fits", |token| match token {
            Token::Word(word) => number(word).and_then(|number| T::try_from(number).ok()),
            _ => None,
        })
    }

    fn is_next(&self, wanted: &Token<'_>) -> bool {
        self.line.tokens.get(self.at).is_some_and(|(_, token)| token == wanted)
    }

    fn string(&mut self) -> Result<&'l str, UsageError> {
        let plain = &self.line.plain;
        self.take("a string", |token| match token {
            // A payload that is no UTF-8 is refused as a string.
            Token::Quoted(range) => std::str::from_utf8(plain.get(range.clone())?).ok(),
            _ => None,
        })
    }

    fn one_qid(&mut self) -> Result<Qid, UsageError> {
        self.take("a qid", |token| match token {
            Token::Qid(qid) => Some(*qid),
            _ => None,
        })
    }
}

fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(digits) if digits.bytes().all(|c| hex(c).is_some()) => {
            u64::from_str_radix(digits, 16).ok()
        }
        None if word.bytes().all(|c| c.is_ascii_digit()) => word.parse().ok(),
        _ => None,
    }
}

impl<'l> Source<'l> for Words<'l> {
    type Error = UsageError;

    fn u8(&mut self, field: &'static str) -> Result<u8, UsageError> {
        self.number(field)
    }

    fn u16(&mut self, field: &'static str) -> Result<u16, UsageError> {
        self.number(field)
    }

    fn u32(&mut self, field: &'static str) -> Result<u32, UsageError> {
        self.number(field)
    }

    fn u64(&mut self, field: &'static str) -> Result<u64, UsageError> {
        self.number(field)
    }

    fn tag(&mut self, field: &'static str) -> Result<Tag, UsageError> {
        self.name(field)?;
        if self.is_next(&Token::Word("NOTAG")) {
            self.at += 1;
            return Ok(Tag::NOTAG);
        }
        self.value().map(Tag)
    }

    fn fid(&mut self, field: &'static str) -> Result<Fid, UsageError> {
        self.name(field)?;
        if self.is_next(&Token::Word("NOFID")) {
            self.at += 1;
            return Ok(Fid::NOFID);
        }
        self.value().map(Fid)
    }

    fn qid(&mut self, field: &'static str) -> Result<Qid, UsageError> {
        self.name(field)?;
        self.one_qid()
    }

    fn text(&mut self, field: &'static str) -> Result<&'l str, UsageError> {
        self.name(field)?;
        self.string()
    }

    fn data(&mut self, field: &'static str) -> Result<&'l [u8], UsageError> {
        self.name(field)?;
        let plain = &self.line.plain;
        self.take("bytes", |token| match token {
            Token::Quoted(range) => plain.get(range.clone()),
            _ => None,
        })
    }

    fn names(&mut self, field: &'static str) -> Result<Names<'l>, UsageError> {
        self.name(field)?;
        self.mark('[')?;
        let mut names = Names::default();
        while !self.is_next(&Token::Mark(']')) {
            let place = self.place();
            names.push(self.string()?).map_err(|_| wrong(place, "at most 16"))?;
        }
        self.mark(']')?;
        Ok(names)
    }

    fn qids(&mut self, field: &'static str) -> Result<Qids, UsageError> {
        self.name(field)?;
        self.mark('[')?;
        let mut qids = Qids::default();
        while !self.is_next(&Token::Mark(']')) {
            let place = self.place();
            qids.push(self.one_qid()?).map_err(|_| wrong(place, "at most 16"))?;
        }
        self.mark(']')?;
        Ok(qids)
    }

    fn stat(&mut self, field: &'static str) -> Result<Stat<'l>, UsageError> {
        self.name(field)?;
        self.mark('{')?;
        let stat = Stat::read_fields(self)?;
        self.mark('}')?;
        Ok(stat)
    }
}
