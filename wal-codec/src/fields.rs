//! The layouts of the types that records are made of.

use bytes::Bytes;
use wal_core::Result;

use crate::fault::corrupt;
use crate::{Input, Layout, put_bytes, put_varint};

impl Layout for u8 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(*self);
        Ok(())
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.byte()
    }
}

impl Layout for u64 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_varint(out, *self);
        Ok(())
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.varint()
    }
}

impl Layout for i64 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_varint(out, ((self << 1) ^ (self >> 63)).cast_unsigned());
        Ok(())
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        let zigzag = input.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}

/// Lays a narrower integer as the 64-bit one, and refuses what does not fit on the way back.
macro_rules! narrow {
    ($($narrow:ty as $wide:ty),+) => {$(
        impl Layout for $narrow {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
                <$wide>::from(*self).encode(out)
            }

            #[inline]
            fn decode(input: &mut Input<'_>) -> Result<Self> {
                let wide: $wide = input.field()?;
                Self::try_from(wide)
                    .map_err(|_| corrupt(concat!("a number is out of range for ", stringify!($narrow))))
            }
        }
    )+};
}

narrow!(u16 as u64, u32 as u64, i16 as i64, i32 as i64);

impl Layout for u128 {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.to_le_bytes().encode(out)
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.array().map(Self::from_le_bytes)
    }
}

impl Layout for bool {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        u8::from(*self).encode(out)
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        match input.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(corrupt("a bool is neither 0 nor 1")),
        }
    }
}

impl<const N: usize> Layout for [u8; N] {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(self);
        Ok(())
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.array()
    }
}

impl Layout for Vec<u8> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_bytes(out, self)
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.bytes().map(<[u8]>::to_vec)
    }
}

impl Layout for Bytes {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_bytes(out, self)
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.bytes().map(Self::copy_from_slice)
    }
}

impl Layout for String {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        put_bytes(out, self.as_bytes())
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        match std::str::from_utf8(input.bytes()?) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(corrupt("a text is not UTF-8").because(error)),
        }
    }
}

impl<T: Layout> Layout for Option<T> {
    #[inline]
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.is_some().encode(out)?;
        self.as_ref().map_or(Ok(()), |value| value.encode(out))
    }

    #[inline]
    fn decode(input: &mut Input<'_>) -> Result<Self> {
        if input.field()? { input.field().map(Some) } else { Ok(None) }
    }
}

macro_rules! tuple {
    ($($field:ident: $number:tt),+) => {
        impl<$($field: Layout),+> Layout for ($($field,)+) {
            #[inline]
            fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
                $(self.$number.encode(out)?;)+
                Ok(())
            }

            #[inline]
            fn decode(input: &mut Input<'_>) -> Result<Self> {
                Ok(($(input.field::<$field>()?,)+))
            }
        }
    };
}

tuple!(A: 0, B: 1);
tuple!(A: 0, B: 1, C: 2);
tuple!(A: 0, B: 1, C: 2, D: 3);
