//! A codec that is right, or lies in one way.

use std::sync::atomic::{AtomicU32, Ordering};

use wal_core::{Codec, CodecId, Error, ErrorKind, Result};

use crate::Sample;

/// The one way in which a [`LyingCodec`] lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CodecLie {
    /// It is honest.
    None,
    /// The output is emptied first.
    ClearsTheOutput,
    /// Every record takes a new number for the codec.
    IdChanges,
    /// What is left over is ignored.
    LeftoversAreIgnored,
    /// The length of a text is cut to 16 bits.
    LengthIsCut,
    /// A length in the input is reserved before it is checked.
    LengthIsBelieved,
    /// Only the low 32 bits of a number are written.
    NumberIsCut,
    /// Bytes that are missing are read without a look.
    PanicsAtTheEnd,
    /// Bytes that are missing are taken for zeros.
    PartIsARecord,
    /// Bytes that are no record are told as a wrong call.
    RefusalIsInvalid,
}

impl CodecLie {
    /// Every lie, with the laws that are there to catch it. A lie may break others too.
    pub const ALL: &[(Self, &[&str])] = &[
        (Self::ClearsTheOutput, &["encoding_appends"]),
        (Self::IdChanges, &["the_id_is_constant"]),
        (Self::LeftoversAreIgnored, &["bytes_left_over_are_refused"]),
        (Self::LengthIsCut, &["a_long_record_is_whole_or_refused"]),
        (Self::LengthIsBelieved, &["decoding_allocates_little"]),
        (Self::NumberIsCut, &["a_record_comes_back"]),
        (Self::PanicsAtTheEnd, &["any_bytes_are_survived"]),
        (Self::PartIsARecord, &["a_part_of_a_record_is_refused"]),
        (Self::RefusalIsInvalid, &["refusals_are_corrupt_or_unsupported"]),
    ];
}

/// The record of a [`LyingCodec`].
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    number: u64,
    text: Vec<u8>,
}

impl Note {
    /// The note of this sample.
    pub fn new(sample: &mut Sample) -> Self {
        Self { number: sample.number(), text: sample.bytes() }
    }
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { number, text } = self;
        f.debug_struct("Note").field("number", number).field("text_bytes", &text.len()).finish()
    }
}

/// A codec of [`Note`]s that lies in one way, or, with [`CodecLie::None`], in none: eight bytes of
/// number, four of length, the text.
#[derive(Debug)]
pub struct LyingCodec {
    lie: CodecLie,
    encoded: AtomicU32,
}

/// Bytes before the text.
const FIXED: usize = 12;

impl LyingCodec {
    /// A codec with this lie.
    pub fn new(lie: CodecLie) -> Self {
        Self { lie, encoded: AtomicU32::new(0) }
    }

    fn refusal(&self, what: &'static str) -> Error {
        let kind = match self.lie {
            CodecLie::RefusalIsInvalid => ErrorKind::Invalid,
            _ => ErrorKind::Corrupt,
        };
        Error::new(kind, what)
    }
}

impl Codec<Note> for LyingCodec {
    fn id(&self) -> CodecId {
        match self.lie {
            CodecLie::IdChanges => CodecId(2000 + self.encoded.load(Ordering::Relaxed)),
            _ => CodecId(2000),
        }
    }

    fn encode(&self, record: &Note, out: &mut Vec<u8>) -> Result<()> {
        self.encoded.fetch_add(1, Ordering::Relaxed);
        if self.lie == CodecLie::ClearsTheOutput {
            out.clear();
        }
        let number = match self.lie {
            CodecLie::NumberIsCut => record.number & 0xffff_ffff,
            _ => record.number,
        };
        let too_long = |_| Error::new(ErrorKind::Invalid, "the text is over 4 GiB");
        let mut length = u32::try_from(record.text.len()).map_err(too_long)?;
        let mut text = &record.text[..];
        if self.lie == CodecLie::LengthIsCut {
            length &= 0xffff;
            text = &text[..text.len() & 0xffff];
        }
        out.extend(number.to_le_bytes());
        out.extend(length.to_le_bytes());
        out.extend(text);
        Ok(())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Note> {
        let mut padded;
        let mut bytes = bytes;
        if self.lie == CodecLie::PartIsARecord {
            padded = bytes.to_vec();
            padded.resize(padded.len().max(FIXED), 0);
            bytes = &padded;
        }
        if self.lie != CodecLie::PanicsAtTheEnd && bytes.len() < FIXED {
            return Err(self.refusal("the record ends within its fields"));
        }
        let (fixed, mut text) = bytes.split_at(FIXED);
        let (number, length) = fixed.split_at(8);
        let number = number.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let length = length.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
        let mut room = Vec::new();
        match self.lie {
            CodecLie::LengthIsBelieved => room.reserve(length.min(1 << 28)),
            CodecLie::LeftoversAreIgnored => text = &text[..length.min(text.len())],
            CodecLie::PartIsARecord if text.len() < length => {
                return Ok(Note { number, text: text.to_vec() });
            }
            _ => {}
        }
        if text.len() != length {
            return Err(self.refusal("the text has another length"));
        }
        room.extend(text);
        Ok(Note { number, text: room })
    }
}
