//! What both sides call the same thing: classes, errors, dialects, buffers.
//!
//! The classes are looked up once, at first use, and made through `tuple.__new__`: a `NamedTuple`'s own
//! constructor is a Python function and would be most of the cost of decoding a small message.

use std::borrow::Cow;

use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::{DecodeError, FrameError, PeerError, UsageError};
use netrelay_proto::ids::Qid;
use netrelay_proto::message::{ALL, name_of};
use netrelay_proto::server::FidView;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};

/// The classes of `netrelay.types`, `netrelay.messages` and `netrelay.errors`.
pub(crate) struct Classes {
    tuple_new: Py<PyAny>,
    /// By message type.
    messages: Vec<Option<Py<PyAny>>>,
    /// Message types by class.
    kinds: Py<PyDict>,
    plain: Py<PyAny>,
    unix: Py<PyAny>,
    linux: Py<PyAny>,
    pub(crate) qid: Py<PyAny>,
    pub(crate) stat: Py<PyAny>,
    pub(crate) dirent: Py<PyAny>,
    fid_view: Py<PyAny>,
    pub(crate) send: Py<PyAny>,
    pub(crate) ask: Py<PyAny>,
    pub(crate) withdraw: Py<PyAny>,
    pub(crate) reset: Py<PyAny>,
    pub(crate) ready: Py<PyAny>,
    pub(crate) retry: Py<PyAny>,
    pub(crate) reply: Py<PyAny>,
    pub(crate) flushed: Py<PyAny>,
    pub(crate) il_connected: Py<PyAny>,
    pub(crate) il_message: Py<PyAny>,
    pub(crate) il_closed: Py<PyAny>,
    frame_error: Py<PyAny>,
    decode_error: Py<PyAny>,
    peer_error: Py<PyAny>,
    usage_error: Py<PyAny>,
}

static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();

/// The classes, imported at the first call.
pub(crate) fn classes(py: Python<'_>) -> PyResult<&'static Classes> {
    CLASSES.get_or_try_init(py, || Classes::import(py))
}

impl Classes {
    fn import(py: Python<'_>) -> PyResult<Self> {
        let module = py.import("netrelay.messages")?;
        let mut messages: Vec<Option<Py<PyAny>>> = (0..=u8::MAX).map(|_| None).collect();
        let kinds = PyDict::new(py);
        for (kind, name) in ALL {
            let class = module.getattr(*name)?;
            kinds.set_item(&class, *kind)?;
            if let Some(place) = messages.get_mut(usize::from(*kind)) {
                *place = Some(class.unbind());
            }
        }
        let types = py.import("netrelay.types")?;
        let errors = py.import("netrelay.errors")?;
        let class = |name: &str| types.getattr(name).map(Bound::unbind);
        let error = |name: &str| errors.getattr(name).map(Bound::unbind);
        let dialect = |name: &str| types.getattr("Dialect")?.getattr(name).map(Bound::unbind);
        Ok(Self {
            tuple_new: py.get_type::<PyTuple>().getattr("__new__")?.unbind(),
            messages,
            kinds: kinds.unbind(),
            plain: dialect("P2000")?,
            unix: dialect("U")?,
            linux: dialect("L")?,
            qid: class("Qid")?,
            stat: class("Stat")?,
            dirent: class("Dirent")?,
            fid_view: class("FidView")?,
            send: class("Send")?,
            ask: class("Ask")?,
            withdraw: class("Withdraw")?,
            reset: class("Reset")?,
            ready: class("Ready")?,
            retry: class("Retry")?,
            reply: class("Reply")?,
            flushed: class("Flushed")?,
            il_connected: class("IlConnected")?,
            il_message: class("IlMessage")?,
            il_closed: class("IlClosed")?,
            frame_error: error("FrameError")?,
            decode_error: error("DecodeError")?,
            peer_error: error("PeerError")?,
            usage_error: error("UsageError")?,
        })
    }

    /// A tuple of that class with those values.
    pub(crate) fn make<'py>(
        &self,
        class: &Py<PyAny>,
        values: Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = values.py();
        self.tuple_new.bind(py).call1((class.bind(py), values))
    }

    /// The class of a message type.
    pub(crate) fn message(&self, kind: u8) -> PyResult<&Py<PyAny>> {
        let class = self.messages.get(usize::from(kind)).and_then(Option::as_ref);
        class.ok_or_else(|| PyTypeError::new_err(name_of(kind)))
    }

    /// The message type of a class, if it is one.
    pub(crate) fn kind(&self, class: &Bound<'_, PyType>) -> PyResult<Option<u8>> {
        let kind = self.kinds.bind(class.py()).get_item(class)?;
        kind.map(|kind| kind.extract()).transpose()
    }

    /// The core's word for a `Dialect`.
    pub(crate) fn dialect(&self, dialect: &Bound<'_, PyAny>) -> PyResult<Dialect> {
        if dialect.is(&self.plain) {
            Ok(Dialect::P2000)
        } else if dialect.is(&self.unix) {
            Ok(Dialect::U)
        } else if dialect.is(&self.linux) {
            Ok(Dialect::L)
        } else {
            Err(PyTypeError::new_err("not a Dialect"))
        }
    }

    /// Python's word for a dialect.
    pub(crate) fn dialect_of(&self, dialect: Dialect) -> &Py<PyAny> {
        match dialect {
            Dialect::P2000 => &self.plain,
            Dialect::U => &self.unix,
            Dialect::L => &self.linux,
        }
    }

    pub(crate) fn make_qid<'py>(&self, py: Python<'py>, qid: Qid) -> PyResult<Bound<'py, PyAny>> {
        self.make(&self.qid, (qid.kind, qid.vers, qid.path).into_pyobject(py)?)
    }

    pub(crate) fn make_view<'py>(
        &self,
        py: Python<'py>,
        view: &FidView,
        uname: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let walked = self.make_qid(py, view.walked)?;
        let open = match view.open {
            Some((qid, mode)) => Some((self.make_qid(py, qid)?, mode)),
            None => None,
        };
        let root = self.make_qid(py, view.root)?;
        self.make(&self.fid_view, (view.fid.0, walked, open, root, uname).into_pyobject(py)?)
    }
}

/// Makes an exception of `netrelay.errors`; what goes wrong on the way takes its place.
fn raised<'py, A>(py: Python<'py>, pick: fn(&Classes) -> &Py<PyAny>, args: A) -> PyErr
where
    A: pyo3::call::PyCallArgs<'py>,
{
    let made = classes(py).and_then(|classes| pick(classes).bind(py).call1(args));
    made.map_or_else(|error| error, PyErr::from_value)
}

pub(crate) fn frame_error(py: Python<'_>, error: FrameError) -> PyErr {
    raised(py, |classes| &classes.frame_error, (error.to_string(),))
}

pub(crate) fn decode_error(py: Python<'_>, error: &DecodeError) -> PyErr {
    let args = (error.reason.word(), error.message, error.field.as_ref());
    raised(py, |classes| &classes.decode_error, args)
}

pub(crate) fn peer_error(py: Python<'_>, error: &PeerError) -> PyErr {
    match error {
        PeerError::Decode(error) => decode_error(py, error),
        error => raised(py, |classes| &classes.peer_error, (error.to_string(),)),
    }
}

pub(crate) fn usage_error(py: Python<'_>, error: &UsageError) -> PyErr {
    misused(py, error.to_string())
}

/// A `UsageError` with that text.
pub(crate) fn misused(py: Python<'_>, text: impl Into<String>) -> PyErr {
    raised(py, |classes| &classes.usage_error, (text.into(),))
}

/// The bytes of any buffer; borrowed from `bytes`, which can't change meanwhile, and copied from the others.
pub(crate) fn bytes_of<'a>(buffer: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = buffer.cast::<PyBytes>() {
        return Ok(Cow::Borrowed(bytes.as_bytes()));
    }
    Ok(Cow::Owned(PyBuffer::<u8>::get(buffer)?.to_vec(buffer.py())?))
}
