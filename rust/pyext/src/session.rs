//! Server and client sessions, fed with bytes and pulled for events.
//!
//! A frame that asks something becomes a `bytes` of its own, which its payload is a view of: the tree may
//! keep it as long as it likes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use netrelay_proto::client::{Client, Event};
use netrelay_proto::deframe::Deframer;
use netrelay_proto::dialect::VERSIONS;
use netrelay_proto::error::{DecodeError, PeerError, Refusal, UsageError};
use netrelay_proto::ids::FIRST_MSIZE;
use netrelay_proto::server::{Server, ServerConfig, Step};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::codec::tag_of;
use crate::convert::{bytes_of, classes, decode_error, frame_error, peer_error, usage_error};
use crate::tuples::{self, Parts};

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<ServerSession>()?;
    module.add_class::<ClientSession>()
}

/// A session served, from its first byte to its last.
#[pyclass(frozen, module = "netrelay._core")]
struct ServerSession(Mutex<Served>);

struct Served {
    core: Server,
    deframer: Deframer,
    /// Frames to send that are not events yet.
    out: Vec<u8>,
    events: VecDeque<Py<PyAny>>,
    /// What ended the session; it is raised for ever.
    failure: Option<DecodeError>,
}

#[pymethods]
impl ServerSession {
    #[new]
    #[pyo3(signature = (*, max_msize = 8_388_608, versions = None, max_fids = 65536, max_requests = 4096))]
    fn new(
        max_msize: u32,
        versions: Option<Vec<String>>,
        max_fids: usize,
        max_requests: usize,
    ) -> Self {
        let versions = versions.unwrap_or_else(|| VERSIONS.map(String::from).to_vec());
        let core = Server::new(ServerConfig { max_msize, versions, max_fids, max_requests });
        let (deframer, out) = (Deframer::new(FIRST_MSIZE), Vec::new());
        Self(Mutex::new(Served { core, deframer, out, events: VecDeque::new(), failure: None }))
    }

    /// Take bytes as they come; can't fail.
    fn feed(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = bytes_of(data)?;
        self.locked().deframer.feed(&data);
        Ok(())
    }

    /// What to do next, or nothing until more bytes or answers come. Errors: `FrameError` and
    /// `DecodeError` when the bytes are not 9P; the session is over.
    fn next_event(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut served = self.locked();
        loop {
            if let Some(event) = served.events.pop_front() {
                return Ok(Some(event));
            }
            if let Some(error) = &served.failure {
                return Err(decode_error(py, error));
            }
            let frame = served.deframer.next_frame().map_err(|error| frame_error(py, error))?;
            let Some(frame) = frame.map(|frame| PyBytes::new(py, frame)) else { return Ok(None) };
            served.take(&frame)?;
        }
    }

    /// The tree's reply to an `Ask`. Errors: `UsageError`.
    fn answer(&self, tag: &Bound<'_, PyAny>, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let (tag, parts, mut payload) = (tag_of(tag)?, Parts::of(message)?, Vec::new());
        let reply = parts.message(&mut payload)?;
        self.locked().act(message.py(), |core, out| core.answer(tag, &reply, out))
    }

    /// The tree says no, in words and by number. Errors: `UsageError`.
    fn refuse(&self, tag: &Bound<'_, PyAny>, text: String, errno: u32) -> PyResult<()> {
        let (py, tag) = (tag.py(), tag_of(tag)?);
        let refusal = Refusal::new(text, errno);
        self.locked().act(py, |core, out| core.refuse(tag, &refusal, out))
    }

    /// The request is undone without a trace. Errors: `UsageError`.
    fn withdraw(&self, tag: &Bound<'_, PyAny>) -> PyResult<()> {
        let (py, tag) = (tag.py(), tag_of(tag)?);
        self.locked().act(py, |core, out| core.withdraw(tag, out))
    }

    /// All fids, by number: what a vanished session gives back.
    fn fids<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let (served, classes) = (self.locked(), classes(py)?);
        let mut views: Vec<_> = served.core.fids().collect();
        views.sort_unstable_by_key(|view| view.fid);
        let made = views
            .iter()
            .map(|view| classes.make_view(py, view, served.core.uname(view.attach)))
            .collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, made)
    }
}

impl ServerSession {
    fn locked(&self) -> MutexGuard<'_, Served> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Served {
    fn take(&mut self, frame: &Bound<'_, PyBytes>) -> PyResult<()> {
        let (py, classes) = (frame.py(), classes(frame.py())?);
        let step = self.core.request(frame.as_bytes(), &mut self.out);
        let step = step.unwrap_or_else(|error| {
            self.failure = Some(error);
            Step::Done
        });
        let event = match step {
            Step::Done => None,
            Step::Ask(ask) => {
                let message = tuples::pack(frame.as_any(), frame.as_bytes().len(), &ask.message)?;
                let fid = match ask.fid {
                    Some(view) => {
                        Some(classes.make_view(py, &view, self.core.uname(view.attach))?)
                    }
                    None => None,
                };
                Some(classes.make(&classes.ask, (ask.tag.0, message, fid).into_pyobject(py)?)?)
            }
            Step::Withdraw(tag) => {
                Some(classes.make(&classes.withdraw, (tag.0,).into_pyobject(py)?)?)
            }
            Step::Reset => Some(classes.make(&classes.reset, PyTuple::empty(py))?),
        };
        self.events.extend(event.map(Bound::unbind));
        self.deframer.set_msize(self.core.msize());
        self.send(py)
    }

    fn act(
        &mut self,
        py: Python<'_>,
        call: impl FnOnce(&mut Server, &mut Vec<u8>) -> Result<(), UsageError>,
    ) -> PyResult<()> {
        call(&mut self.core, &mut self.out).map_err(|error| usage_error(py, &error))?;
        self.send(py)
    }

    /// Makes the frames in `out` events, one each.
    fn send(&mut self, py: Python<'_>) -> PyResult<()> {
        let (out, classes) = (std::mem::take(&mut self.out), classes(py)?);
        let mut left = out.as_slice();
        while let Some(size) = left.first_chunk().copied().map(u32::from_le_bytes) {
            let Some((frame, rest)) = left.split_at_checked(size.try_into()?) else { break };
            let frame = (PyBytes::new(py, frame),).into_pyobject(py)?;
            self.events.push_back(classes.make(&classes.send, frame)?.unbind());
            left = rest;
        }
        Ok(())
    }
}

/// A session used; `msize` is in bytes and `version` what is offered first.
#[pyclass(frozen, module = "netrelay._core")]
struct ClientSession(Mutex<Used>);

struct Used {
    core: Client,
    deframer: Deframer,
    /// What ended the session; it is raised for ever.
    failure: Option<PeerError>,
}

#[pymethods]
impl ClientSession {
    #[new]
    #[pyo3(signature = (*, msize = 1_048_576, version = "9P2000.netrelay"))]
    fn new(msize: u32, version: &str) -> Self {
        let deframer = Deframer::new(msize.max(FIRST_MSIZE));
        Self(Mutex::new(Used { core: Client::new(msize, version), deframer, failure: None }))
    }

    /// The Tversion frame, to be sent first.
    fn hello<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let ((), frame) = self.locked().launch(py, |core, out| core.hello(out))?;
        Ok(frame)
    }

    /// The request's tag and frame. Errors: `UsageError`.
    fn request<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<(u16, Bound<'py, PyBytes>)> {
        let (parts, mut payload) = (Parts::of(message)?, Vec::new());
        let request = parts.message(&mut payload)?;
        let launched =
            self.locked().launch(message.py(), |core, out| core.request(&request, out))?;
        Ok((launched.0.0, launched.1))
    }

    /// The Tflush of a request in flight. Errors: `UsageError`.
    fn flush<'py>(&self, tag: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        let (py, tag) = (tag.py(), tag_of(tag)?);
        let (_, frame) = self.locked().launch(py, |core, out| core.flush(tag, out))?;
        Ok(frame)
    }

    /// Take bytes as they come; can't fail.
    fn feed(&self, data: &Bound<'_, PyAny>) -> PyResult<()> {
        let data = bytes_of(data)?;
        self.locked().deframer.feed(&data);
        Ok(())
    }

    /// What has come, or nothing yet. Errors: `FrameError`, `DecodeError`, `PeerError`: the session is over.
    fn next_event<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut used = self.locked();
        loop {
            if let Some(error) = &used.failure {
                return Err(peer_error(py, error));
            }
            let frame = used.deframer.next_frame().map_err(|error| frame_error(py, error))?;
            let Some(frame) = frame.map(|frame| PyBytes::new(py, frame)) else { return Ok(None) };
            if let Some(event) = used.take(&frame)? {
                return Ok(Some(event));
            }
        }
    }
}

impl ClientSession {
    fn locked(&self) -> MutexGuard<'_, Used> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Used {
    fn launch<'py, T>(
        &mut self,
        py: Python<'py>,
        call: impl FnOnce(&mut Client, &mut Vec<u8>) -> Result<T, UsageError>,
    ) -> PyResult<(T, Bound<'py, PyBytes>)> {
        let mut out = Vec::new();
        let done = call(&mut self.core, &mut out).map_err(|error| usage_error(py, &error))?;
        Ok((done, PyBytes::new(py, &out)))
    }

    fn take<'py>(&mut self, frame: &Bound<'py, PyBytes>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (py, classes, mut out) = (frame.py(), classes(frame.py())?, Vec::new());
        let event = self.core.receive(frame.as_bytes(), &mut out).unwrap_or_else(|error| {
            self.failure = Some(error);
            Event::Nothing
        });
        Ok(Some(match event {
            Event::Ready { dialect, msize, windowed } => {
                self.deframer.set_msize(msize);
                let values = (classes.dialect_of(dialect), msize, windowed).into_pyobject(py)?;
                classes.make(&classes.ready, values)?
            }
            Event::Retry => {
                classes.make(&classes.retry, (PyBytes::new(py, &out),).into_pyobject(py)?)?
            }
            Event::Reply(tag, message) => {
                let message = tuples::pack(frame.as_any(), frame.as_bytes().len(), &message)?;
                classes.make(&classes.reply, (tag.0, message).into_pyobject(py)?)?
            }
            Event::Flushed { tag, replied } => {
                classes.make(&classes.flushed, (tag.0, replied).into_pyobject(py)?)?
            }
            Event::Nothing => return Ok(None),
        }))
    }
}
