//! `netrelay._core`: convert, call, convert.
//!
//! Every function here turns Python's values into the core's, calls the core, and turns back what it
//! says; the classes it makes are those of `netrelay.types` and `netrelay.messages`, so that both cores'
//! results compare equal. No rule of the protocol lives here.

#![forbid(unsafe_code)]

use pyo3::prelude::*;

mod codec;
mod convert;
mod gateway;
mod il;
mod import;
mod session;
mod tuples;

/// The Rust core of netrelay.
#[pymodule(gil_used = false)]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    codec::add(module)?;
    session::add(module)?;
    il::add(module)?;
    gateway::add(module)?;
    import::add(module)
}
