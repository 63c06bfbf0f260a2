//! Conversations of IL, with packets as `bytes`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::error::Refusal;
use netrelay_proto::il::{self, Conversation, Event, Packet, SendError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};

use crate::convert::{bytes_of, classes};

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Il>()
}

/// One end of a conversation; times are milliseconds and never go back.
#[pyclass(frozen, module = "netrelay._core")]
struct Il(Mutex<Conversation>);

#[pymethods]
impl Il {
    /// Call port `remote` from port `local`; `start` is our first id.
    #[staticmethod]
    #[pyo3(signature = (now, local, remote, start, /))]
    fn connect(now: u64, local: u16, remote: u16, start: u32) -> Self {
        Self(Mutex::new(Conversation::connect(now, local, remote, start)))
    }

    /// The same in a hurry: tries again every tick, five times at most.
    #[staticmethod]
    #[pyo3(signature = (now, local, remote, start, /))]
    fn connect_fast(now: u64, local: u16, remote: u16, start: u32) -> Self {
        Self(Mutex::new(Conversation::connect_fast(now, local, remote, start)))
    }

    /// Answer a call; nothing if the packet is none.
    #[staticmethod]
    #[pyo3(signature = (now, sync, start, /))]
    fn accept(now: u64, sync: &Bound<'_, PyAny>, start: u32) -> PyResult<Option<Self>> {
        let sync = bytes_of(sync)?;
        let sync = Packet::decode(&sync).ok();
        let answer = sync.and_then(|sync| Conversation::answer(now, &sync, start));
        Ok(answer.map(|answer| Self(Mutex::new(answer))))
    }

    /// What a packet gets that no conversation is there for: a close, if anything.
    #[staticmethod]
    #[pyo3(signature = (data, /))]
    fn refuse<'py>(data: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let (py, data) = (data.py(), bytes_of(data)?);
        let close = Packet::decode(&data).ok().and_then(|packet| il::refuse(&packet));
        Ok(close.map(|close| PyBytes::new(py, &close)))
    }

    /// What IP delivered, without IP's header; flawed packets are counted.
    #[pyo3(signature = (now, data, /))]
    fn handle_packet(&self, now: u64, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = bytes_of(data)?;
        self.locked().handle_packet(now, &data);
        Ok(())
    }

    /// Send a message, which may be empty; false if not now. Errors: `NetError`.
    #[pyo3(signature = (now, message, /))]
    fn send(&self, now: u64, message: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (py, message) = (message.py(), bytes_of(message)?);
        match self.locked().send(now, &message).map_err(SendError::refusal) {
            Ok(()) => Ok(true),
            Err(None) => Ok(false),
            Err(Some(refusal)) => {
                let class = NET_ERROR.import(py, "netrelay.errors", "NetError")?;
                Err(PyErr::from_value(class.call1((refusal.text, refusal.errno))?))
            }
        }
    }

    /// How many messages `send` would take now.
    fn room(&self) -> usize {
        self.locked().room()
    }

    /// End the conversation once what was sent has arrived; what nobody has read is lost.
    #[pyo3(signature = (now, /))]
    fn close(&self, now: u64) {
        self.locked().close(now);
    }

    /// The host says that the other side can't be reached; a call ends with that text.
    #[pyo3(signature = (reason, /))]
    fn advise(&self, reason: String) {
        self.locked().advise(Refusal::new(reason, EIO));
    }

    /// The next packet to send, if any; ask until there is none.
    fn poll_transmit<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.locked().poll_transmit().map(|packet| PyBytes::new(py, packet))
    }

    /// When to call `handle_timeout`, unless something else is called before.
    fn poll_timeout(&self) -> Option<u64> {
        self.locked().poll_timeout()
    }

    /// Do what is due by now.
    #[pyo3(signature = (now, /))]
    fn handle_timeout(&self, now: u64) {
        self.locked().handle_timeout(now);
    }

    /// What has happened, if anything: one connected, messages, one closed.
    fn poll_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let classes = classes(py)?;
        let Some(event) = self.locked().poll_event() else { return Ok(None) };
        let (class, values) = match event {
            Event::Connected => (&classes.il_connected, PyTuple::empty(py)),
            Event::Message(data) => {
                (&classes.il_message, (PyBytes::new(py, &data),).into_pyobject(py)?)
            }
            Event::Closed(reason) => {
                let reason = reason.map(|refusal| refusal.text);
                (&classes.il_closed, (reason,).into_pyobject(py)?)
            }
        };
        classes.make(class, values).map(Some)
    }

    /// The word of its state; after `Closed` nothing comes but what the polls still hold.
    fn state(&self) -> &'static str {
        self.locked().state().word()
    }

    /// The line of `status`, with its newline.
    fn status(&self) -> String {
        self.locked().status().to_string()
    }

    /// What it counted, by the names and in the order of `stats`.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counted = PyDict::new(py);
        for (name, count) in self.locked().stats().rows() {
            counted.set_item(name, count)?;
        }
        Ok(counted)
    }
}

impl Il {
    fn locked(&self) -> MutexGuard<'_, Conversation> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of a text whose own does not leave this module.
const EIO: u32 = 5;

static NET_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
