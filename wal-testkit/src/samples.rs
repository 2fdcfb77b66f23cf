//! [`Samples`]: a codec, and records to try it on.

use std::fmt;
use std::marker::PhantomData;

use wal_core::{Codec, CodecId, Result};

use crate::chance::Chance;

/// A codec with a way to make records: what [`codec_laws!`](crate::codec_laws) work on.
///
/// ```
/// use wal_core::{Codec, CodecId, Result};
/// use wal_testkit::{Sample, Samples};
///
/// #[derive(PartialEq)]
/// struct Payment { account: u64, memo: String }
/// # #[derive(Clone, Debug)]
/// # struct Payments;
/// # impl Codec<Payment> for Payments {
/// #     fn id(&self) -> CodecId { CodecId(1000) }
/// #     fn encode(&self, _: &Payment, _: &mut Vec<u8>) -> Result<()> { Ok(()) }
/// #     fn decode(&self, _: &[u8]) -> Result<Payment> { Err(wal_core::Error::new(wal_core::ErrorKind::Corrupt, "none")) }
/// # }
///
/// let payment = |sample: &mut Sample| Payment { account: sample.number(), memo: sample.text() };
/// let samples = Samples::new(Payments, payment);
/// # let _ = samples;
/// ```
pub struct Samples<R, C, G> {
    codec: C,
    generate: G,
    record: PhantomData<fn() -> R>,
}

impl<R, C, G> Samples<R, C, G>
where
    R: PartialEq,
    C: Codec<R>,
    G: Fn(&mut Sample) -> R + Send + Sync,
{
    /// The codec, and a closure that makes the record of a sample: every field from it, so that the
    /// same sample is the same record, and all forms a record can have among the samples.
    pub fn new(codec: C, generate: G) -> Self {
        Self { codec, generate, record: PhantomData }
    }
}

impl<R, C: fmt::Debug, G> fmt::Debug for Samples<R, C, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codec.fmt(f)
    }
}

/// A codec without the type of its records. [`Samples`] is the implementation.
pub trait CodecUnderTest: Send + Sync + fmt::Debug {
    /// [`Codec::id`].
    fn id(&self) -> CodecId;

    /// [`Codec::encode`] of the record of this sample.
    fn encode(&self, sample: &Sample, out: &mut Vec<u8>) -> Result<()>;

    /// [`Codec::decode`], and whether the record is that of the sample.
    fn decode(&self, bytes: &[u8], sample: &Sample) -> Result<Likeness>;
}

/// Whether a decoded record is the one that was encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// They are equal.
    Same,
    /// They are not.
    Other,
}

impl<R, C, G> CodecUnderTest for Samples<R, C, G>
where
    R: PartialEq,
    C: Codec<R>,
    G: Fn(&mut Sample) -> R + Send + Sync,
{
    fn id(&self) -> CodecId {
        self.codec.id()
    }

    fn encode(&self, sample: &Sample, out: &mut Vec<u8>) -> Result<()> {
        self.codec.encode(&(self.generate)(&mut sample.clone()), out)
    }

    fn decode(&self, bytes: &[u8], sample: &Sample) -> Result<Likeness> {
        let record = self.codec.decode(bytes)?;
        let same = record == (self.generate)(&mut sample.clone());
        Ok(if same { Likeness::Same } else { Likeness::Other })
    }
}

/// Values by chance for the fields of one record, the same ones for the same seed.
#[derive(Clone, Debug)]
pub struct Sample {
    chance: Chance,
    length: Length,
}

/// How long bytes and texts are.
#[derive(Clone, Copy, Debug)]
enum Length {
    UpTo(u32),
    Exactly(u32),
}

impl Sample {
    /// Fields of up to so many bytes.
    pub(crate) fn small(seed: u64, most: u32) -> Self {
        Self { chance: Chance::new(seed), length: Length::UpTo(most) }
    }

    /// Fields of exactly so many bytes, where they can have any number.
    pub(crate) fn long(seed: u64, length: u32) -> Self {
        Self { chance: Chance::new(seed), length: Length::Exactly(length) }
    }

    /// Small numbers and large ones alike, and the ends.
    pub fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            _ => self.chance.next() >> self.chance.below(64),
        }
    }

    /// A number below this; 0 where there is none.
    pub fn below(&mut self, options: u32) -> u32 {
        self.chance.below(options)
    }

    /// Any bytes; of most samples a few or none, of some a great many.
    pub fn bytes(&mut self) -> Vec<u8> {
        let mut bytes = vec![0; self.length()];
        self.chance.fill(&mut bytes);
        bytes
    }

    /// Any text, not all of it ASCII; as long as [`bytes`](Self::bytes) are, in bytes.
    pub fn text(&mut self) -> String {
        let length = self.length();
        let mut text = String::with_capacity(length);
        while text.len() < length {
            let wide = length - text.len() >= 4;
            let letter = if wide { char::from_u32(self.chance.below(0x1_1000)) } else { None };
            text.push(letter.unwrap_or('x'));
        }
        text
    }

    fn length(&mut self) -> usize {
        let length = match self.length {
            Length::UpTo(most) => self.chance.below(most + 1),
            Length::Exactly(length) => length,
        };
        usize::try_from(length).expect("at least 32 bits")
    }
}
