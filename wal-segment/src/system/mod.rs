//! The only unsafe code of the workspace: what the operating system gives to no safe caller.

#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "each block says why it is sound"))]

#[cfg(all(feature = "mmap", target_os = "linux", target_pointer_width = "64"))]
pub(crate) mod map;
mod process;

pub use process::process;
