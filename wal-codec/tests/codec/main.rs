//! What the codecs promise, tested through the seam [`wal_core::Codec`].

#[cfg(feature = "bincode")]
mod bincode;
mod golden;
mod hostile;
#[cfg(feature = "serde")]
mod json;
mod limits;
mod random;
mod round_trip;
#[cfg(feature = "bincode")]
mod size;
mod user;

use wal_codec::{Binary, Layout};
use wal_core::{Codec, Result};

fn encoded<R>(codec: &dyn Codec<R>, record: &R) -> Vec<u8> {
    let mut bytes = Vec::new();
    codec.encode(record, &mut bytes).expect("the record has no field over a limit");
    bytes
}

fn laid<R: Layout>(record: &R) -> Vec<u8> {
    encoded(&Binary, record)
}

fn read<R: Layout>(bytes: &[u8]) -> Result<R> {
    Binary.decode(bytes)
}
