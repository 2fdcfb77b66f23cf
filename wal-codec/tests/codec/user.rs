//! A record type as a user writes one, with one field of every kind that has a layout.

use bytes::Bytes;
use wal_codec::{Input, Layout, put_list};
use wal_core::Result;

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Order {
    pub(crate) flag: bool,
    pub(crate) small: (u8, u16, u32),
    pub(crate) id: u64,
    pub(crate) uuid: u128,
    pub(crate) signed: (i16, i32, i64),
    pub(crate) mark: [u8; 3],
    pub(crate) name: Option<String>,
    pub(crate) blob: Vec<u8>,
    pub(crate) body: Bytes,
    pub(crate) lines: Vec<(u64, String)>,
}

impl Layout for Order {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        out.push(1);
        self.flag.encode(out)?;
        self.small.encode(out)?;
        self.id.encode(out)?;
        self.uuid.encode(out)?;
        self.signed.encode(out)?;
        self.mark.encode(out)?;
        self.name.encode(out)?;
        self.blob.encode(out)?;
        self.body.encode(out)?;
        put_list(out, &self.lines)
    }

    fn decode(input: &mut Input<'_>) -> Result<Self> {
        input.version(1)?;
        Ok(Self {
            flag: input.field()?,
            small: input.field()?,
            id: input.field()?,
            uuid: input.field()?,
            signed: input.field()?,
            mark: input.field()?,
            name: input.field()?,
            blob: input.field()?,
            body: input.field()?,
            lines: input.list()?,
        })
    }
}
