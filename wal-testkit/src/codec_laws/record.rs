//! Laws about records that somebody encoded.

use wal_core::ErrorKind;

use super::{CodecCase, Outcome, encoded, small};
use crate::law::{Saw, saw};
use crate::{Likeness, Sample};

pub(super) fn a_record_comes_back(case: &mut CodecCase<'_>) -> Outcome {
    case.each_seed(400, |case, seed| {
        let codec = case.part_opened()?;
        let sample = small(seed);
        let bytes = encoded(&*codec, &sample)?;
        case.history().note(format!("encode a record: {} bytes", bytes.len()));
        saw("the record decoded", codec.decode(&bytes, &sample)?, Likeness::Same)?;
        // Another handle, as after a restart.
        let codec = case.part_opened()?;
        saw("the record decoded by another codec", codec.decode(&bytes, &sample)?, Likeness::Same)
    })
}

/// A length that does not fit its field was cut to its low bits, and the record decoded to
/// something shorter: table names of 65,536 bytes in more than one engine.
pub(super) fn a_long_record_is_whole_or_refused(case: &mut CodecCase<'_>) -> Outcome {
    for length in [127, 128, 255, 256, 257, 16_384, 65_535, 65_536, 70_000, 1 << 20] {
        case.each_seed(12, |case, seed| {
            let codec = case.part_opened()?;
            let sample = Sample::long(seed, length);
            let mut bytes = Vec::new();
            case.history().note(format!("encode a record with fields of {length} bytes"));
            if let Err(error) = codec.encode(&sample, &mut bytes) {
                return saw("the refusal", error.kind(), ErrorKind::Invalid);
            }
            saw("the record decoded", codec.decode(&bytes, &sample)?, Likeness::Same)
        })?;
    }
    Ok(())
}

pub(super) fn encoding_appends(case: &mut CodecCase<'_>) -> Outcome {
    case.each_seed(60, |case, seed| {
        let codec = case.part_opened()?;
        let alone = encoded(&*codec, &small(seed))?;
        for before in [1, 8, 777] {
            let there: Vec<u8> = (0..=u8::MAX).cycle().take(before).collect();
            let mut out = there.clone();
            case.history().note(format!("encode behind {before} bytes"));
            codec.encode(&small(seed), &mut out)?;
            saw("the bytes before are as they were", out.get(..before) == Some(&*there), true)?;
            // Not compared with `alone`: a record may have several forms.
            let behind = out.get(before..).unwrap_or(&[]);
            saw("the record behind", codec.decode(behind, &small(seed))?, Likeness::Same)?;
        }
        saw("the record alone", codec.decode(&alone, &small(seed))?, Likeness::Same)
    })
}

pub(super) fn the_id_is_constant(case: &mut CodecCase<'_>) -> Outcome {
    let codec = case.part_opened()?;
    let id = codec.id();
    for seed in 0..20 {
        encoded(&*codec, &small(seed))?;
        saw("the id later on", codec.id(), id)?;
    }
    let other = case.part_opened()?.id();
    if other == id { Ok(()) } else { Err(Saw::new(format!("ids {id} and {other}"))) }
}
