//! The gateway as Python sees it: descriptors in, questions out, answers back.
//!
//! The threads that serve sessions are the engine's and never come here. What they want to know is
//! fetched by `upcalls()` when the descriptor of `upcall_fd()` is readable.

use std::os::fd::AsRawFd;
use std::time::Duration;

use netrelay_engine::config::{Config, Namespace, Spot, StackConfig, StackKind, Tree};
use netrelay_engine::upcall::Verdict;
use netrelay_engine::{EngineError, descriptor};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict};

use crate::convert::misused;

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Gateway>()
}

/// Threads that serve this machine's network.
#[pyclass(frozen, module = "netrelay._core")]
struct Gateway(netrelay_engine::Gateway);

#[pymethods]
impl Gateway {
    /// Starts the threads. Errors: `NetError` for a setting that is no good, or of the host;
    /// `UsageError` for a name space that can't be.
    #[new]
    #[pyo3(signature = (config, /))]
    fn new(config: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = config.py();
        let started = netrelay_engine::Gateway::start(config_of(config)?);
        started.map(Self).map_err(|error| match &*error.op {
            "namespace" => misused(py, error.source.to_string()),
            _ => refused(py, &error),
        })
    }

    /// Serve what comes to a listening stream socket. Owns: the descriptor.
    #[pyo3(signature = (fd, /))]
    fn listen(&self, py: Python<'_>, fd: i32) -> PyResult<()> {
        let listener = descriptor::owned(fd).map_err(|error| misused(py, error.to_string()))?;
        self.0.listen(listener).map_err(|error| refused(py, &error))
    }

    /// Takes over the descriptor of a connected stream socket, whose attaches see the subtree
    /// `root`. Errors: `UsageError`, `NetError`.
    #[pyo3(signature = (fd, root = "", /))]
    fn serve(&self, py: Python<'_>, fd: i32, root: &str) -> PyResult<()> {
        let transport = descriptor::owned(fd).map_err(|error| misused(py, error.to_string()))?;
        self.0.serve(transport, root).map_err(|error| refused(py, &error))
    }

    /// Readable while questions wait.
    fn upcall_fd(&self) -> i32 {
        self.0.upcall_fd().as_raw_fd()
    }

    /// The questions that wait. Blocks never.
    fn upcalls<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = UPCALL.import(py, "netrelay.types", "Upcall")?;
        let questions = self.0.upcalls().into_iter();
        questions
            .map(|asked| {
                let query = PyBytes::new(py, &asked.query);
                class.call1((asked.id, asked.kind.name(), asked.user, query, asked.stack))
            })
            .collect()
    }

    /// Answer a question, with replies or else with a refusal.
    #[pyo3(signature = (id, replies, error, errno, /))]
    fn answer(&self, id: u64, replies: Option<Vec<Vec<u8>>>, error: Option<String>, errno: u32) {
        let verdict = match (replies, error) {
            (Some(replies), None) => Verdict::Replies(replies),
            (_, error) => Verdict::Refused { text: error.unwrap_or_default(), errno },
        };
        self.0.answer(id, verdict);
    }

    /// What is mounted where from now on. Errors: `UsageError`; then all stays as it was.
    #[pyo3(signature = (config, /))]
    fn set_namespace(&self, config: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = config.py();
        self.0.set_namespace(&namespace_of(config)?).map_err(|why| misused(py, why))
    }

    /// `ipifc` of a stack lists `count` interfaces from now on. Errors: `UsageError` for no stack.
    #[pyo3(signature = (stack, count, /))]
    fn set_interfaces(&self, py: Python<'_>, stack: usize, count: u32) -> PyResult<()> {
        if self.0.set_interfaces(stack, count) {
            return Ok(());
        }
        Err(misused(py, format!("there is no stack {stack}")))
    }

    /// Counters by name.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = PyDict::new(py);
        for (name, value) in self.0.stats() {
            counters.set_item(name, value)?;
        }
        Ok(counters)
    }

    /// Close the listeners; sessions go on.
    fn stop_listening(&self) {
        self.0.stop_listening();
    }

    /// Stop listening, and end as conversations end, at the deadline in any case.
    #[pyo3(signature = (deadline_s, /))]
    fn shutdown(&self, py: Python<'_>, deadline_s: f64) -> PyResult<()> {
        self.0.shutdown(seconds(py, deadline_s)?);
        Ok(())
    }

    /// Readable once all threads have ended.
    fn closed_fd(&self) -> i32 {
        self.0.closed_fd().as_raw_fd()
    }

    /// Whether all threads have ended. Blocks up to `timeout_s`.
    #[pyo3(signature = (timeout_s, /))]
    fn wait_closed(&self, py: Python<'_>, timeout_s: f64) -> PyResult<bool> {
        let timeout = seconds(py, timeout_s)?;
        Ok(py.detach(|| self.0.wait_closed(timeout)))
    }

    /// End everything now.
    fn abort(&self) {
        self.0.abort();
    }
}

fn config_of(given: &Bound<'_, PyAny>) -> PyResult<Config> {
    let py = given.py();
    let mut config = Config::new(given.getattr("host_owner")?.extract::<String>()?);
    config.root = given.getattr("root")?.extract()?;
    config.workers = given.getattr("workers")?.extract()?;
    config.allow_dial = given.getattr("allow_dial")?.extract()?;
    config.grant = given.getattr("grant")?.extract()?;
    config.ethers = given.getattr("ethers")?.extract()?;
    config.ndb = given.getattr("ndb")?.extract()?;
    config.started = given.getattr("started")?.extract()?;
    for stack in given.getattr("stacks")?.try_iter()? {
        config.stacks.push(stack_of(&stack?)?);
    }
    let namespace = given.getattr("namespace")?;
    if !namespace.is_none() {
        config.namespace = Some(namespace_of(&namespace)?);
    }
    let (from, limits) = (given.getattr("limits")?, &mut config.limits);
    let count = |name: &str| from.getattr(name)?.extract::<usize>();
    limits.fid_write_bytes = count("fid_write_bytes")?;
    limits.session_write_bytes = count("session_write_bytes")?;
    limits.gateway_write_bytes = count("gateway_write_bytes")?;
    limits.fid_reads = count("fid_reads")?;
    limits.session_unread_bytes = count("session_unread_bytes")?;
    limits.session_fids = count("session_fids")?;
    limits.session_requests = count("session_requests")?;
    limits.sessions = count("sessions")?;
    limits.upcalls = count("upcalls")?;
    limits.conversations = from.getattr("conversations")?.extract()?;
    limits.handshake = seconds(py, from.getattr("handshake_s")?.extract()?)?;
    limits.linger = seconds(py, from.getattr("linger_s")?.extract()?)?;
    limits.packet_idle = seconds(py, from.getattr("packet_idle_s")?.extract()?)?;
    Ok(config)
}

fn namespace_of(given: &Bound<'_, PyAny>) -> PyResult<Namespace> {
    let mut namespace =
        Namespace { directories: given.getattr("directories")?.extract()?, ..Namespace::default() };
    for mount in given.getattr("mounts")?.try_iter()? {
        let (spot, members) = mount?.extract::<(Bound<'_, PyAny>, Vec<Bound<'_, PyAny>>)>()?;
        let members = members.iter().map(|member| spot_of(&member.getattr("spot")?));
        namespace.mounts.push((spot_of(&spot)?, members.collect::<PyResult<_>>()?));
    }
    Ok(namespace)
}

fn spot_of(given: &Bound<'_, PyAny>) -> PyResult<Spot> {
    let tree = given.getattr("tree")?;
    let device = tree.getattr("device")?.extract::<String>()?;
    // A stack of a number that none has is refused with the others that are not there.
    let number = tree.getattr("number")?.extract::<u32>()?.try_into();
    let tree = match (device.as_str(), number) {
        ("/", _) => Tree::Root,
        ("I", Ok(number)) => Tree::Stack(number),
        _ => {
            let spot = format!("the name space has no file {}", given.str()?);
            return Err(misused(given.py(), spot));
        }
    };
    Ok(Spot { tree, names: given.getattr("names")?.extract()? })
}

fn stack_of(given: &Bound<'_, PyAny>) -> PyResult<StackConfig> {
    let text = |name: &str| given.getattr(name)?.extract::<String>();
    let kind = text("kind")?;
    let kind = StackKind::named(&kind)
        .ok_or_else(|| misused(given.py(), format!("no stack is of kind {kind:?}")))?;
    Ok(StackConfig { name: text("name")?, kind, value: text("value")? })
}

fn seconds(py: Python<'_>, count: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(count)
        .map_err(|_| misused(py, format!("{count} is no length of time in seconds")))
}

/// The `NetError` of a refusal, in the host's words as Python has them.
fn refused(py: Python<'_>, error: &EngineError) -> PyErr {
    let made: PyResult<_> = error.source.raw_os_error().map_or_else(
        || Ok((error.to_string(), EINVAL)),
        |errno| {
            let words = py.import("os")?.call_method1("strerror", (errno,))?;
            Ok((format!("{}: {words}", error.op), errno))
        },
    );
    let class = NET_ERROR.import(py, "netrelay.errors", "NetError");
    let made = class.and_then(|class| class.call1(made?));
    made.map_or_else(|error| error, PyErr::from_value)
}

const EINVAL: i32 = 22;

static UPCALL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
static NET_ERROR: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
