//! Messages as Python's tuples: the `Sink` that fills one and the `Source` that reads one.
//!
//! A payload becomes a view of the buffer that the message was decoded from; it is the last field wherever
//! there is one, so it is found from the end. In the other direction a tuple is taken apart first
//! ([`Parts`]), because a message borrows from what it is made of.

use std::borrow::Cow;

use netrelay_proto::ids::Qid;
use netrelay_proto::message::{Message, Names, Qids, Sink, Source, Stat};
use pyo3::BoundObject;
use pyo3::conversion::FromPyObjectOwned;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView, PySlice, PyString, PyTuple};

use crate::convert::{Classes, bytes_of, classes, misused};

/// The tuple of a message; payloads are views of `frame`.
pub(crate) fn pack<'py>(
    frame: &Bound<'py, PyAny>,
    size: usize,
    message: &Message<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(frame.py())?;
    let mut values =
        Values { frame: Some((frame, size)), py: frame.py(), classes, got: Vec::new() };
    message.write(&mut values)?;
    classes.make(classes.message(message.kind())?, PyTuple::new(frame.py(), values.got)?)
}

/// The tuple of a message that is not from a frame; payloads are `bytes`.
pub(crate) fn pack_copy<'py>(
    py: Python<'py>,
    message: &Message<'_>,
) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(py)?;
    let mut values = Values { frame: None, py, classes, got: Vec::new() };
    message.write(&mut values)?;
    classes.make(classes.message(message.kind())?, PyTuple::new(py, values.got)?)
}

/// The tuple of a stat record.
pub(crate) fn pack_stat<'py>(py: Python<'py>, stat: &Stat<'_>) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(py)?;
    let mut values = Values { frame: None, py, classes, got: Vec::with_capacity(15) };
    stat.write_fields(&mut values)?;
    classes.make(&classes.stat, PyTuple::new(py, values.got)?)
}

struct Values<'f, 'py> {
    /// What payloads are views of, and its bytes.
    frame: Option<(&'f Bound<'py, PyAny>, usize)>,
    py: Python<'py>,
    classes: &'static Classes,
    got: Vec<Bound<'py, PyAny>>,
}

impl<'py> Values<'_, 'py> {
    fn put<T: IntoPyObject<'py>>(&mut self, value: T) -> PyResult<()> {
        let made = value.into_pyobject(self.py).map_err(Into::into)?;
        self.got.push(made.into_any().into_bound());
        Ok(())
    }
}

impl Sink for Values<'_, '_> {
    type Error = PyErr;

    fn u8(&mut self, _: &'static str, value: u8) -> PyResult<()> {
        self.put(value)
    }

    fn u16(&mut self, _: &'static str, value: u16) -> PyResult<()> {
        self.put(value)
    }

    fn u32(&mut self, _: &'static str, value: u32) -> PyResult<()> {
        self.put(value)
    }

    fn u64(&mut self, _: &'static str, value: u64) -> PyResult<()> {
        self.put(value)
    }

    fn qid(&mut self, _: &'static str, value: Qid) -> PyResult<()> {
        self.got.push(self.classes.make_qid(self.py, value)?);
        Ok(())
    }

    fn text(&mut self, _: &'static str, value: &str) -> PyResult<()> {
        self.put(value)
    }

    fn data(&mut self, _: &'static str, value: &[u8]) -> PyResult<()> {
        let Some((frame, size)) = self.frame else { return self.put(value) };
        let (begin, end) = (size.saturating_sub(value.len()), size);
        let part = PySlice::new(self.py, begin.try_into()?, end.try_into()?, 1);
        self.got.push(PyMemoryView::from(frame)?.get_item(part)?);
        Ok(())
    }

    fn names(&mut self, _: &'static str, value: &Names<'_>) -> PyResult<()> {
        self.put(PyTuple::new(self.py, value.iter())?)
    }

    fn qids(&mut self, _: &'static str, value: &Qids) -> PyResult<()> {
        let made = value.iter().map(|qid| self.classes.make_qid(self.py, *qid));
        let made = made.collect::<PyResult<Vec<_>>>()?;
        self.put(PyTuple::new(self.py, made)?)
    }

    fn stat(&mut self, _: &'static str, value: &Stat<'_>) -> PyResult<()> {
        self.got.push(pack_stat(self.py, value)?);
        Ok(())
    }
}

/// A message's tuple taken apart, for a message to borrow from.
pub(crate) struct Parts<'py> {
    py: Python<'py>,
    kind: u8,
    values: Vec<Bound<'py, PyAny>>,
    /// The values of the one field that is a tuple itself.
    inner: Vec<Bound<'py, PyAny>>,
}

impl<'py> Parts<'py> {
    pub(crate) fn of(message: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = message.py();
        let kind = classes(py)?.kind(&message.get_type())?;
        let (Some(kind), Ok(tuple)) = (kind, message.cast::<PyTuple>()) else {
            return Err(misused(py, format!("{} is no message", message.get_type().name()?)));
        };
        Ok(Self::apart(kind, tuple))
    }

    pub(crate) fn of_stat(stat: &Bound<'py, PyAny>) -> PyResult<Self> {
        Ok(Self::apart(0, stat.cast::<PyTuple>()?))
    }

    fn apart(kind: u8, tuple: &Bound<'py, PyTuple>) -> Self {
        let values: Vec<_> = tuple.iter().collect();
        // A message has at most one field that is a list or a record; a qid is read where it stands.
        let nested = values.iter().rev().find_map(|value| value.cast::<PyTuple>().ok());
        let inner = nested.map(|nested| nested.iter().collect()).unwrap_or_default();
        Self { py: tuple.py(), kind, values, inner }
    }

    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// The message, borrowed; `payload` is room for one that is not `bytes`.
    pub(crate) fn message<'a>(&'a self, payload: &'a mut Vec<u8>) -> PyResult<Message<'a>> {
        if let Some(last) = self.values.last()
            && matches!(self.kind, 117 | 118 | 41)
            && let Cow::Owned(copied) = bytes_of(last)?
        {
            *payload = copied;
        }
        let mut fields = Fields { parts: self, values: &self.values, at: 0, payload };
        let message = Message::read(self.kind, &mut fields)?;
        message.ok_or_else(|| misused(self.py, "no message"))
    }

    /// The stat record, borrowed.
    pub(crate) fn stat(&self) -> PyResult<Stat<'_>> {
        let mut fields = Fields { parts: self, values: &self.values, at: 0, payload: &[] };
        Stat::read_fields(&mut fields)
    }
}

struct Fields<'a, 'py> {
    parts: &'a Parts<'py>,
    values: &'a [Bound<'py, PyAny>],
    at: usize,
    payload: &'a [u8],
}

impl<'a, 'py> Fields<'a, 'py> {
    fn next(&mut self, field: &'static str) -> PyResult<&'a Bound<'py, PyAny>> {
        let value = self.values.get(self.at);
        self.at += 1;
        value.ok_or_else(|| self.wrong(field))
    }

    #[cold]
    fn wrong(&self, field: &'static str) -> PyErr {
        misused(self.parts.py, format!("{field} can't hold this value"))
    }

    fn number<T: FromPyObjectOwned<'py>>(&mut self, field: &'static str) -> PyResult<T> {
        self.next(field)?.extract().map_err(|_| self.wrong(field))
    }

    fn string(&self, value: &'a Bound<'py, PyAny>, field: &'static str) -> PyResult<&'a str> {
        let text = value.cast::<PyString>().ok().and_then(|text| text.to_str().ok());
        let text = text.ok_or_else(|| self.wrong(field))?;
        if text.contains('\0') {
            return Err(misused(self.parts.py, "a string holds a NUL"));
        }
        Ok(text)
    }

    fn one_qid(&self, value: &Bound<'py, PyAny>, field: &'static str) -> PyResult<Qid> {
        let (kind, vers, path) = value.extract().map_err(|_| self.wrong(field))?;
        Ok(Qid { kind, vers, path })
    }

    fn list(&mut self, field: &'static str) -> PyResult<&'a [Bound<'py, PyAny>]> {
        if !self.next(field)?.is_instance_of::<PyTuple>() {
            return Err(self.wrong(field));
        }
        if self.parts.inner.len() > 16 {
            return Err(misused(self.parts.py, "more than 16 names"));
        }
        Ok(&self.parts.inner)
    }
}

impl<'a> Source<'a> for Fields<'a, '_> {
    type Error = PyErr;

    fn u8(&mut self, field: &'static str) -> PyResult<u8> {
        self.number(field)
    }

    fn u16(&mut self, field: &'static str) -> PyResult<u16> {
        self.number(field)
    }

    fn u32(&mut self, field: &'static str) -> PyResult<u32> {
        self.number(field)
    }

    fn u64(&mut self, field: &'static str) -> PyResult<u64> {
        self.number(field)
    }

    fn qid(&mut self, field: &'static str) -> PyResult<Qid> {
        let value = self.next(field)?;
        self.one_qid(value, field)
    }

    fn text(&mut self, field: &'static str) -> PyResult<&'a str> {
        let value = self.next(field)?;
        self.string(value, field)
    }

    fn data(&mut self, field: &'static str) -> PyResult<&'a [u8]> {
        match bytes_borrowed(self.next(field)?) {
            Some(bytes) => Ok(bytes),
            None => Ok(self.payload),
        }
    }

    fn names(&mut self, field: &'static str) -> PyResult<Names<'a>> {
        let mut names = Names::default();
        for value in self.list(field)? {
            names.push(self.string(value, field)?).map_err(|_| self.wrong(field))?;
        }
        Ok(names)
    }

    fn qids(&mut self, field: &'static str) -> PyResult<Qids> {
        let mut qids = Qids::default();
        for value in self.list(field)? {
            qids.push(self.one_qid(value, field)?).map_err(|_| self.wrong(field))?;
        }
        Ok(qids)
    }

    fn stat(&mut self, field: &'static str) -> PyResult<Stat<'a>> {
        self.next(field)?;
        let (parts, payload) = (self.parts, self.payload);
        let mut fields = Fields { parts, values: &parts.inner, at: 0, payload };
        Stat::read_fields(&mut fields)
    }
}

fn bytes_borrowed<'a>(value: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    value.cast::<PyBytes>().ok().map(PyBytesMethods::as_bytes)
}
