//! Frames, text and records as functions, and the deframer.

use std::sync::{Mutex, PoisonError};

use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::DecodeError;
use netrelay_proto::ids::{Qid, Tag};
use netrelay_proto::{deframe, dir, message, text};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::convert::{bytes_of, classes, decode_error, frame_error, misused, usage_error};
use crate::tuples::{self, Parts};

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(encode, module)?)?;
    module.add_function(wrap_pyfunction!(decode, module)?)?;
    module.add_function(wrap_pyfunction!(to_text, module)?)?;
    module.add_function(wrap_pyfunction!(from_text, module)?)?;
    module.add_function(wrap_pyfunction!(pack_stat, module)?)?;
    module.add_function(wrap_pyfunction!(unpack_stats, module)?)?;
    module.add_function(wrap_pyfunction!(pack_dirents, module)?)?;
    module.add_function(wrap_pyfunction!(unpack_dirents, module)?)?;
    module.add_class::<Deframer>()
}

/// One whole frame. Errors: `UsageError` for a value that its field can't hold.
#[pyfunction]
fn encode<'py>(
    tag: &Bound<'py, PyAny>,
    message: &Bound<'py, PyAny>,
    dialect: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = message.py();
    let frame = encoded(tag_of(tag)?, message, classes(py)?.dialect(dialect)?)?;
    Ok(PyBytes::new(py, &frame))
}

/// The frame of a message's tuple, whatever its size.
pub(crate) fn encoded(tag: Tag, message: &Bound<'_, PyAny>, dialect: Dialect) -> PyResult<Vec<u8>> {
    let (parts, mut payload, mut out) = (Parts::of(message)?, Vec::new(), Vec::new());
    let message = parts.message(&mut payload)?;
    let done = message::encode(tag, &message, dialect, u32::MAX, &mut out);
    done.map_err(|error| usage_error(parts.py(), &error.into()))?;
    Ok(out)
}

/// The tag and message of one whole frame; payloads are views of it. Errors: `DecodeError`.
#[pyfunction]
fn decode<'py>(
    frame: &Bound<'py, PyAny>,
    dialect: &Bound<'py, PyAny>,
) -> PyResult<(u16, Bound<'py, PyAny>)> {
    let py = frame.py();
    let bytes = bytes_of(frame)?;
    let decoded = message::decode(&bytes, classes(py)?.dialect(dialect)?);
    let (tag, message) = decoded.map_err(|error| decode_error(py, &error))?;
    Ok((tag.0, tuples::pack(frame, bytes.len(), &message)?))
}

/// One line, without its newline.
#[pyfunction]
fn to_text(tag: &Bound<'_, PyAny>, message: &Bound<'_, PyAny>) -> PyResult<String> {
    let (parts, mut payload, mut out) = (Parts::of(message)?, Vec::new(), String::new());
    text::print(tag_of(tag)?, &parts.message(&mut payload)?, &mut out);
    Ok(out)
}

/// The tag and message of a line. Errors: `UsageError` names the place.
#[pyfunction]
fn from_text<'py>(py: Python<'py>, text: &str) -> PyResult<(u16, Bound<'py, PyAny>)> {
    let wrong = |error| usage_error(py, &error);
    let line = text::Line::read(text).map_err(wrong)?;
    let (tag, message) = line.message().map_err(wrong)?;
    Ok((tag.0, tuples::pack_copy(py, &message)?))
}

/// One record with its own size in front. Errors: `UsageError`.
#[pyfunction]
fn pack_stat<'py>(
    stat: &Bound<'py, PyAny>,
    dialect: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (py, parts, mut out) = (stat.py(), Parts::of_stat(stat)?, Vec::new());
    let done = dir::put_stat(&parts.stat()?, classes(py)?.dialect(dialect)?, &mut out);
    done.map_err(|error| usage_error(py, &error.into()))?;
    Ok(PyBytes::new(py, &out))
}

/// The records of a directory read. Errors: `DecodeError`.
#[pyfunction]
fn unpack_stats<'py>(
    data: &Bound<'py, PyAny>,
    dialect: &Bound<'py, PyAny>,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let py = data.py();
    let dialect = classes(py)?.dialect(dialect)?;
    dir::stats(&bytes_of(data)?, dialect)
        .map(|stat| tuples::pack_stat(py, &decoded(py, stat)?))
        .collect()
}

/// The data of an Rreaddir. Errors: `UsageError`.
#[pyfunction]
fn pack_dirents<'py>(entries: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let (py, mut out) = (entries.py(), Vec::new());
    for entry in entries.try_iter()? {
        let ((kind, vers, path), offset, dirent, name) = entry?
            .extract::<((u8, u32, u64), u64, u8, String)>()
            .map_err(|_| misused(py, "an entry can't hold this value"))?;
        if name.contains('\0') {
            return Err(misused(py, "a string holds a NUL"));
        }
        let qid = Qid { kind, vers, path };
        let entry = dir::Dirent { qid, offset, kind: dirent, name: &name };
        dir::put_dirent(&entry, &mut out).map_err(|error| usage_error(py, &error.into()))?;
    }
    Ok(PyBytes::new(py, &out))
}

/// The entries of an Rreaddir. Errors: `DecodeError`.
#[pyfunction]
fn unpack_dirents<'py>(data: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let (py, classes) = (data.py(), classes(data.py())?);
    dir::dirents(&bytes_of(data)?)
        .map(|entry| {
            let entry = decoded(py, entry)?;
            let qid = classes.make_qid(py, entry.qid)?;
            let values = (qid, entry.offset, entry.kind, entry.name).into_pyobject(py)?;
            classes.make(&classes.dirent, values)
        })
        .collect()
}

fn decoded<T>(py: Python<'_>, result: Result<T, DecodeError>) -> PyResult<T> {
    result.map_err(|error| decode_error(py, &error))
}

/// A tag, if it is one. Errors: `UsageError`.
pub(crate) fn tag_of(tag: &Bound<'_, PyAny>) -> PyResult<Tag> {
    tag.extract().map(Tag).map_err(|_| misused(tag.py(), "tag can't hold this value"))
}

/// Frames of at most `msize` bytes out of a stream.
#[pyclass(frozen, module = "netrelay._core")]
struct Deframer(Mutex<deframe::Deframer>);

#[pymethods]
impl Deframer {
    #[new]
    fn new(msize: u32) -> Self {
        Self(Mutex::new(deframe::Deframer::new(msize)))
    }

    /// Take bytes as they come; can't fail.
    fn feed(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = bytes_of(data)?;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).feed(&data);
        Ok(())
    }

    /// The next whole frame, if it is there. Errors: `FrameError`, now and for ever.
    fn next_frame<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let mut deframer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = deframer.next_frame().map_err(|error| frame_error(py, error))?;
        Ok(frame.map(|frame| PyBytes::new(py, frame)))
    }
}
