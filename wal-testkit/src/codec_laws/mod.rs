//! The laws for the codec seam.

mod hostile;
mod record;

use crate::law::{Case, Front, Law, Saw, law_table};
use crate::{CodecUnderTest, Sample};

/// A law for the codec seam.
pub type CodecLaw = Law<dyn CodecUnderTest>;

#[doc(hidden)]
pub type CodecPart = dyn CodecUnderTest;

type CodecCase<'a> = Case<'a, dyn CodecUnderTest>;
type Outcome = Result<(), Saw>;

/// Every law for the codec seam, for harnesses of one's own. [`codec_laws!`](crate::codec_laws)
/// makes a test of each.
pub const CODEC_LAWS: &[CodecLaw] = crate::__each_codec_law!((law_table)("codec", Front::NONE));

/// Proves a [`Codec`](wal_core::Codec): makes a module `name` with a test for every law of the
/// seam.
///
/// The closure returns [`Samples`](crate::Samples): the codec, and how to make records for it.
/// `without [end]` admits that a part of a record may be a record too, as it is where any bytes
/// are. What decoding allocates is counted with the feature `allocations` of this crate, which
/// brings a counting allocator; `without [allocations]` does without.
///
/// ```
/// use wal_core::{Codec, CodecId, Result};
/// use wal_testkit::{Sample, Samples};
///
/// #[derive(Debug)]
/// struct Plain;
///
/// impl Codec<Vec<u8>> for Plain {
///     fn id(&self) -> CodecId {
///         CodecId(1000)
///     }
///
///     fn encode(&self, record: &Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
///         out.extend(record);
///         Ok(())
///     }
///
///     fn decode(&self, bytes: &[u8]) -> Result<Vec<u8>> {
///         Ok(bytes.to_vec())
///     }
/// }
///
/// wal_testkit::codec_laws!(plain, || Samples::new(Plain, Sample::bytes), without [end]);
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! codec_laws {
    ($name:ident, $new:expr $(,)?) => {
        $crate::codec_laws!($name, $new, without []);
    };
    ($name:ident, $new:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names lies outside")]
            use super::*;

            $crate::__each_codec_law!(
                ($crate::__law_tests)
                ($crate::CODEC_LAWS, $crate::CodecPart, || $crate::Pure($new), [$($without),*])
            );
        }
    };
}

/// The one list: module and name, what the law needs, and its promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_codec_law {
    (($($then:tt)*) $arguments:tt) => { $($then)* ! {
        $arguments
        record::a_record_comes_back []
            "what was encoded decodes to an equal record";
        record::a_long_record_is_whole_or_refused []
            "what cannot be encoded whole is refused with Invalid, never shortened";
        record::encoding_appends []
            "encoding appends to what is there, and changes none of it";
        record::the_id_is_constant []
            "a codec has one number";
        hostile::a_part_of_a_record_is_refused [end]
            "a record cut short is no record";
        hostile::bytes_left_over_are_refused [end]
            "a record with bytes left over is no record";
        hostile::any_bytes_are_survived []
            "any bytes give a record or an error, never a panic";
        hostile::refusals_are_corrupt_or_unsupported []
            "bytes that are no record are Corrupt, or Unsupported where a newer version wrote them";
        hostile::decoding_allocates_little [allocations]
            "decoding allocates no more than a small multiple of its input";
    } };
}

/// Records of the laws: small ones.
fn small(seed: u64) -> Sample {
    Sample::small(seed, if seed.is_multiple_of(16) { 400 } else { 24 })
}

fn encoded(codec: &dyn CodecUnderTest, sample: &Sample) -> Result<Vec<u8>, Saw> {
    let mut bytes = Vec::new();
    codec.encode(sample, &mut bytes)?;
    Ok(bytes)
}
