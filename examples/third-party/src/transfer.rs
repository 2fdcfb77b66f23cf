//! [`Transfer`] and [`Transfers`]: a record and its codec.

use wal_core::{Codec, CodecId, Error, ErrorKind, Result};

/// Money moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Whose account becomes lighter.
    pub from: String,
    /// Whose account becomes heavier.
    pub to: String,
    /// By how much.
    pub cents: u64,
}

/// The bytes of a [`Transfer`]: a version, the amount, and two names of up to 65,535 bytes behind
/// their lengths.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transfers;

const VERSION: u8 = 1;

impl Codec<Transfer> for Transfers {
    fn id(&self) -> CodecId {
        CodecId(4711)
    }

    fn encode(&self, record: &Transfer, out: &mut Vec<u8>) -> Result<()> {
        out.push(VERSION);
        out.extend(record.cents.to_le_bytes());
        for name in [&record.from, &record.to] {
            let long = |_| Error::new(ErrorKind::Invalid, "a name is over 65535 bytes");
            out.extend(u16::try_from(name.len()).map_err(long)?.to_le_bytes());
            out.extend(name.as_bytes());
        }
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Transfer> {
        let mut rest = bytes;
        match take::<1>(&mut rest)? {
            [VERSION] => {}
            [0] => return Err(corrupt("a transfer has no version 0")),
            _ => return Err(Error::new(ErrorKind::Unsupported, "a transfer of a newer version")),
        }
        let cents = u64::from_le_bytes(take(&mut rest)?);
        let (from, to) = (name(&mut rest)?, name(&mut rest)?);
        if rest.is_empty() {
            return Ok(Transfer { from, to, cents });
        }
        Err(corrupt("a transfer has bytes left over"))
    }
}

fn name(rest: &mut &[u8]) -> Result<String> {
    let length = usize::from(u16::from_le_bytes(take(rest)?));
    let Some((name, behind)) = rest.split_at_checked(length) else {
        return Err(corrupt("a transfer ends within a name"));
    };
    *rest = behind;
    let name = std::str::from_utf8(name).map_err(|_| corrupt("a name is not UTF-8"))?;
    Ok(name.to_owned())
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (field, behind) =
        rest.split_first_chunk().ok_or_else(|| corrupt("a transfer ends within a field"))?;
    *rest = behind;
    Ok(*field)
}

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what)
}
