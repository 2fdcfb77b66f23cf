//! Stdout, buffered.

use std::io::{self, BufWriter, Stdout, Write};

use anyhow::Context;
use serde::Serialize;

/// Stdout. What goes wrong on it is told apart from what goes wrong with a log: a closed pipe is no
/// failure, see [`pipe_closed`](crate::failure::pipe_closed).
///
/// What was not [flushed](Self::flush) may be lost.
#[derive(Debug)]
pub(crate) struct Out(BufWriter<Stdout>);

impl Out {
    pub(crate) fn new() -> Self {
        Self(BufWriter::with_capacity(64 * 1024, io::stdout()))
    }

    /// A line of these bytes.
    pub(crate) fn line(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        named(self.0.write_all(bytes).and_then(|()| self.0.write_all(b"\n")))
    }

    /// A line of text.
    pub(crate) fn text(&mut self, text: std::fmt::Arguments<'_>) -> anyhow::Result<()> {
        named(self.0.write_fmt(text).and_then(|()| self.0.write_all(b"\n")))
    }

    /// A line with one JSON object.
    pub(crate) fn json(&mut self, object: &impl Serialize) -> anyhow::Result<()> {
        named(serde_json::to_writer(&mut self.0, object).map_err(io::Error::from))?;
        named(self.0.write_all(b"\n"))
    }

    pub(crate) fn flush(&mut self) -> anyhow::Result<()> {
        named(self.0.flush())
    }
}

/// The number and what there is so many of: `1 record`, `2 records`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

fn named<T>(result: io::Result<T>) -> anyhow::Result<T> {
    result.context("writing the output failed")
}
