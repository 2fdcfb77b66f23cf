//! What the format, the watermark and the error promise, tested through the public API alone.

mod document;
mod error;
mod fixture;
mod frame;
mod golden;
mod header;
mod open_segment;
mod records;
mod seal;
mod watermark;
