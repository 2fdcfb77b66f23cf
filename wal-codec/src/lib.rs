//! Records to bytes and back.
//!
//! | codec | records | bytes |
//! |---|---|---|
//! | [`Raw`] | bytes | themselves |
//! | [`Binary`] | any type with a [`Layout`] | laid by hand, a few lines a type; the smallest |
//! | `Bincode` (feature `bincode`) | any serde type | bincode 1's, as `bincode::serialize` writes them |
//!
//! [`Operation`] is a ready record for a table store: rows put, updated and deleted, and the four
//! steps of a transaction. It has a [`Layout`], and serde's traits with the feature `serde`.
//!
//! A codec of your own is an implementation of [`wal_core::Codec`].
//!
//! # A record type of your own
//!
//! ```
//! use wal_codec::{Binary, Input, Layout};
//! use wal_core::{Codec, ErrorKind, Result};
//!
//! #[derive(Debug, PartialEq)]
//! struct Payment {
//!     account: u64,
//!     cents: i64,
//!     memo: Option<String>,
//! }
//!
//! impl Layout for Payment {
//!     fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
//!         out.push(1); // the version of this layout
//!         self.account.encode(out)?;
//!         self.cents.encode(out)?;
//!         self.memo.encode(out)
//!     }
//!
//!     fn decode(input: &mut Input<'_>) -> Result<Self> {
//!         input.version(1)?;
//!         Ok(Self { account: input.field()?, cents: input.field()?, memo: input.field()? })
//!     }
//! }
//!
//! let paid = Payment { account: 4711, cents: -250, memo: None };
//! let mut bytes = Vec::new();
//! Binary.encode(&paid, &mut bytes)?;
//! assert_eq!(bytes, [1, 0xe7, 0x24, 0xf3, 0x03, 0]);
//!
//! let read: Payment = Binary.decode(&bytes)?;
//! assert_eq!(read, paid);
//!
//! // What is cut short, too long or newer than this code gives a typed error.
//! let kind = |bytes: &[u8]| Codec::<Payment>::decode(&Binary, bytes).unwrap_err().kind();
//! assert_eq!(kind(&bytes[..5]), ErrorKind::Corrupt);
//! assert_eq!(kind(&[bytes.as_slice(), &[0]].concat()), ErrorKind::Corrupt);
//! assert_eq!(kind(&[2]), ErrorKind::Unsupported);
//! # Ok::<(), wal_core::Error>(())
//! ```

#[cfg(feature = "serde")]
pub mod as_bytes;
mod binary;
#[cfg(feature = "bincode")]
mod bincode;
#[cfg(feature = "bincode")]
mod bounded;
mod fault;
mod fields;
mod input;
mod layout;
mod operation;
mod operation_layout;
mod output;
mod raw;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
pub use binary::Binary;
pub use input::Input;
pub use layout::Layout;
pub use operation::Operation;
pub use output::{put_bytes, put_list, put_varint};
pub use raw::Raw;
