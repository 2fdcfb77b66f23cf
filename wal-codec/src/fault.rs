//! The errors of this crate, made out of line.

use std::borrow::Cow;

use wal_core::{Error, ErrorKind};

#[cold]
pub(crate) fn corrupt(what: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}

#[cold]
pub(crate) fn newer(version: u8, newest: u8) -> Error {
    let what = format!("record layout is version {version}, this build knows up to {newest}");
    Error::new(ErrorKind::Unsupported, what)
}

#[cold]
pub(crate) fn too_long(what: &str, len: usize, limit: u64) -> Error {
    let what = format!("{what} of {len} bytes is longer than the limit of {limit}");
    Error::new(ErrorKind::Invalid, what)
}
