//! Two slots, written in turns: a few bytes that are replaced whole, in files that are overwritten
//! in place.

use super::{is_blank, put, u32_at, u64_at};

/// Bytes of a slot: a block of its own, so that writing one never touches the other.
pub const SLOT_LEN: usize = 4096;

/// Bytes that a slot holds at the most.
pub const MAX_IN_SLOT: usize = SLOT_LEN - HEAD - 4;

const MAGIC: [u8; 8] = *b"\x89WALSLT\n";
const HEAD: usize = 24;
const CRC_AT: usize = SLOT_LEN - 4;

/// What two slots hold, and where the next bytes go.
///
/// The slot that holds the older bytes is the one that is written next. A crash in the middle of
/// that leaves it damaged, and the newer bytes, in the other slot, are what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    newest: Option<(u64, Vec<u8>)>,
}

impl Slots {
    /// Reads both slots; fewer bytes than two slots have count as zeros behind them. `None` where
    /// there is something in them and neither is sound.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let both = &bytes[..bytes.len().min(2 * SLOT_LEN)];
        let newest = both.chunks(SLOT_LEN).filter_map(sound).max_by_key(|(turn, _)| *turn);
        (newest.is_some() || is_blank(both)).then_some(Self { newest })
    }

    /// Whether either slot begins as one does: then these are, or were, slots.
    pub fn marked(bytes: &[u8]) -> bool {
        bytes.chunks(SLOT_LEN).take(2).any(|slot| slot.starts_with(&MAGIC))
    }

    /// How often the bytes were written before; `None` where they never were.
    pub fn turn(&self) -> Option<u64> {
        self.newest.as_ref().map(|(turn, _)| *turn)
    }

    /// The bytes that were written last; `None` where none ever were.
    pub fn bytes(&self) -> Option<&[u8]> {
        self.newest.as_ref().map(|(_, bytes)| &**bytes)
    }

    /// Where to write what replaces the bytes, and what to write there. The caller makes it durable
    /// before it relies on it, and takes these slots for written then.
    ///
    /// # Panics
    ///
    /// Where there are more than [`MAX_IN_SLOT`] bytes.
    pub fn replace(&mut self, bytes: &[u8]) -> (u64, Vec<u8>) {
        assert!(bytes.len() <= MAX_IN_SLOT, "{} bytes do not go into a slot", bytes.len());
        let turn = self.newest.as_ref().map_or(0, |(turn, _)| turn.saturating_add(1));
        let mut slot = vec![0; SLOT_LEN];
        put(&mut slot, 0, &MAGIC);
        put(&mut slot, 8, &turn.to_le_bytes());
        put(&mut slot, 16, &(bytes.len() as u64).to_le_bytes());
        put(&mut slot, HEAD, bytes);
        let crc = crc32c::crc32c(&slot[..CRC_AT]);
        put(&mut slot, CRC_AT, &crc.to_le_bytes());
        self.newest = Some((turn, bytes.to_vec()));
        ((turn % 2) * SLOT_LEN as u64, slot)
    }
}

fn sound(slot: &[u8]) -> Option<(u64, Vec<u8>)> {
    let whole = slot.len() == SLOT_LEN && slot[..8] == MAGIC;
    if !whole || u32_at(slot, CRC_AT) != crc32c::crc32c(&slot[..CRC_AT]) {
        return None;
    }
    let len = usize::try_from(u64_at(slot, 16)).ok()?;
    let bytes = slot[HEAD..CRC_AT].get(..len)?;
    Some((u64_at(slot, 8), bytes.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_bytes_are_read_back_and_an_interrupted_write_leaves_the_ones_before() {
        let mut file = vec![0; 2 * SLOT_LEN];
        let mut slots = Slots::decode(&file).unwrap();
        assert_eq!(slots.bytes(), None);
        for turn in 0..5_u8 {
            let (at, slot) = slots.replace(&[turn; 80]);
            let at = usize::try_from(at).unwrap();
            let mut torn = file.clone();
            torn[at..at + 100].copy_from_slice(&slot[..100]);
            let before = Slots::decode(&torn);
            match turn {
                0 => assert_eq!(before, None),
                _ => assert_eq!(before.unwrap().bytes(), Some(&[turn - 1; 80][..])),
            }
            file[at..at + SLOT_LEN].copy_from_slice(&slot);
            assert_eq!(Slots::decode(&file), Some(slots.clone()));
        }
    }

    #[test]
    fn no_bytes_are_nothing_and_strange_ones_are_damage() {
        assert_eq!(Slots::decode(&[]).unwrap().bytes(), None);
        assert_eq!(Slots::decode(b"hello"), None);
        assert_eq!(Slots::decode(&[9; 3 * SLOT_LEN]), None);
    }
}
