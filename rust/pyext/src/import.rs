//! The importer as Python sees it: descriptors and messages in, completions out.
//!
//! The thread that moves the bytes is the engine's and never comes here. What it has finished is
//! fetched by `completions()` when the descriptor of `completion_fd()` is readable.

use std::os::fd::{AsRawFd, OwnedFd};

use netrelay_engine::client::{self, Options, Outcome, Refused};
use netrelay_engine::descriptor;
use netrelay_proto::dialect::Dialect;
use netrelay_proto::error::Refusal;
use netrelay_proto::ids::Fid;
use netrelay_proto::message;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use crate::convert::{decode_error, misused};
use crate::tuples::{self, Parts};

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Importer>()
}

/// One session used, with dials and pumps that never enter the interpreter.
#[pyclass(frozen, module = "netrelay._core")]
struct Importer(client::Importer);

#[pymethods]
impl Importer {
    /// Owns: the descriptor of a connected stream socket. Errors: `UsageError` for options out of
    /// range, `NetError` for a descriptor that is no stream's.
    #[new]
    #[pyo3(signature = (fd, /, *, msize = 1_048_576, version = "9P2000.netrelay"))]
    fn new(py: Python<'_>, fd: i32, msize: u32, version: &str) -> PyResult<Self> {
        let stream = taken(py, fd)?;
        let options = Options { msize, version: version.to_owned() };
        client::Importer::start(stream, &options).map(Self).map_err(|error| refused(py, error))
    }

    /// Readable while completions wait.
    fn completion_fd(&self) -> i32 {
        self.0.completion_fd().as_raw_fd()
    }

    /// What has been finished. Blocks never.
    fn completions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let dialect = self.0.agreed().map(|agreed| agreed.dialect).unwrap_or_default();
        let done = self.0.completions();
        done.into_iter().map(|done| completion(py, done.id, done.outcome, dialect)).collect()
    }

    /// A fid number that is free, from 1: the root is 0.
    fn new_fid(&self) -> u32 {
        self.0.new_fid().0
    }

    /// Send a request; the id of its completion. Errors: `UsageError`; `NetError` when too much is
    /// under way.
    fn rpc(&self, message: &Bound<'_, PyAny>) -> PyResult<u64> {
        let (parts, mut payload) = (Parts::of(message)?, Vec::new());
        let begun = self.0.rpc(&parts.message(&mut payload)?);
        begun.map_err(|error| refused(message.py(), error))
    }

    /// Take a request back.
    #[pyo3(signature = (id, /))]
    fn flush(&self, id: u64) {
        self.0.flush(id);
    }

    /// Open a conversation and connect it; the id of its completion.
    #[pyo3(signature = (netdir, clone, remote, /))]
    fn dial(
        &self,
        py: Python<'_>,
        netdir: Vec<String>,
        clone: Vec<String>,
        remote: String,
    ) -> PyResult<u64> {
        let path = [netdir, clone].concat();
        self.0.dial(path, remote).map_err(|error| refused(py, error))
    }

    /// Wait for a call of an announced conversation; the id of its completion.
    #[pyo3(signature = (conversation, /))]
    fn listen(&self, py: Python<'_>, conversation: Vec<String>) -> PyResult<u64> {
        self.0.listen(conversation).map_err(|error| refused(py, error))
    }

    /// Take over a local socket and pump both ways; the id of its completion.
    #[pyo3(signature = (ctl, data, fd, /))]
    fn pump(&self, py: Python<'_>, ctl: u32, data: u32, fd: i32) -> PyResult<u64> {
        let local = taken(py, fd)?;
        self.0.pump(Fid(ctl), Fid(data), local).map_err(|error| refused(py, error))
    }

    /// Both; one id.
    #[pyo3(signature = (netdir, clone, remote, fd, /))]
    fn dial_and_pump(
        &self,
        py: Python<'_>,
        netdir: Vec<String>,
        clone: Vec<String>,
        remote: String,
        fd: i32,
    ) -> PyResult<u64> {
        let (path, local) = ([netdir, clone].concat(), taken(py, fd)?);
        self.0.dial_and_pump(path, remote, local).map_err(|error| refused(py, error))
    }

    /// Counters by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, value) in self.0.stats() {
            counters.set_item(name, value)?;
        }
        Ok(counters)
    }

    /// End the session. Blocks for the current turn of its thread.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

/// The fields of a `Completion` that an outcome sets; the others are its class's defaults.
fn completion(
    py: Python<'_>,
    id: u64,
    outcome: Outcome,
    dialect: Dialect,
) -> PyResult<Bound<'_, PyAny>> {
    let fields = PyDict::new(py);
    let (kind, refusal) = match outcome {
        Outcome::Ready(agreed) => {
            fields.set_item("number", agreed.msize)?;
            fields.set_item("windowed", agreed.windowed)?;
            ("ready", None)
        }
        Outcome::Reply(frame) => {
            match message::decode(&frame, dialect) {
                Ok((_, reply)) => fields.set_item("message", tuples::pack_copy(py, &reply)?)?,
                // The server's fault, not the caller's: an error of this request.
                Err(error) => {
                    fields.set_item("error", decode_error(py, &error).value(py).str()?)?;
                }
            }
            ("rpc", None)
        }
        Outcome::Flushed => ("flushed", None),
        Outcome::Dialed { number, ctl, data } => {
            set_call(&fields, number, ctl, data)?;
            ("dial", None)
        }
        Outcome::Called { number, ctl, data, remote } => {
            set_call(&fields, number, ctl, data)?;
            fields.set_item("remote", remote)?;
            ("listen", None)
        }
        Outcome::Pumped { up, down, error } => {
            fields.set_item("bytes_up", up)?;
            fields.set_item("bytes_down", down)?;
            fields.set_item("error", error)?;
            ("pump", None)
        }
        Outcome::Refused(refusal) => ("rpc", Some(refusal)),
        Outcome::NotDialed(refusal) => ("dial", Some(refusal)),
        Outcome::NotCalled(refusal) => ("listen", Some(refusal)),
        Outcome::Ended(why) => {
            fields.set_item("error", why)?;
            ("closed", None)
        }
        other => return Err(misused(py, format!("no completion for {other:?}"))),
    };
    if let Some(Refusal { text, errno }) = refusal {
        fields.set_item("error", text)?;
        fields.set_item("errno", errno)?;
    }
    let class = COMPLETION.import(py, "netrelay.types", "Completion")?;
    class.call((id, kind), Some(&fields))
}

fn set_call(fields: &Bound<'_, PyDict>, number: u32, ctl: Fid, data: Fid) -> PyResult<()> {
    fields.set_item("number", number)?;
    fields.set_item("ctl", ctl.0)?;
    fields.set_item("data", data.0)
}

fn taken(py: Python<'_>, fd: i32) -> PyResult<OwnedFd> {
    descriptor::owned(fd).map_err(|error| refused(py, error.into()))
}

/// The exception for a call that was not begun.
fn refused(py: Python<'_>, why: Refused) -> PyErr {
    match why {
        Refused::Host(errno) => {
            net_error(py, &std::io::Error::from_raw_os_error(errno).to_string(), errno.into())
        }
        Refused::Busy => {
            let Refusal { text, errno } = Refusal::TOO_MANY_REQUESTS;
            net_error(py, &text, errno.into())
        }
        other => misused(py, other.to_string()),
    }
}

fn net_error(py: Python<'_>, text: &str, errno: i64) -> PyErr {
    let class = NET_ERROR.import(py, "netrelay.errors", "NetError");
    let made = class.and_then(|class| class.call1((text, errno)));
    made.map_or_else(|error| error, PyErr::from_value)
}

static COMPLETION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static NET_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
