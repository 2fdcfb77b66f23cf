//! [`ZeroRuns`]: a transform in a few lines, whose output is longer than its input.

use wal::parts::core::{Applied, Transform, TransformId};
use wal::{Error, ErrorKind, Result};

/// A run of zeros as a zero and its length, any other byte as it is. A body that would not get
/// shorter is left alone.
#[derive(Debug)]
pub(crate) struct ZeroRuns;

impl Transform for ZeroRuns {
    fn id(&self) -> TransformId {
        TransformId(200)
    }

    fn apply(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Applied> {
        let start = out.len();
        for run in body.chunk_by(|one, other| *one == 0 && *other == 0) {
            for piece in run.chunks(255) {
                out.push(piece[0]);
                if piece[0] == 0 {
                    out.push(u8::try_from(piece.len()).expect("255 at the most"));
                }
            }
        }
        if out.len() - start < body.len() {
            return Ok(Applied::Stored);
        }
        out.truncate(start);
        Ok(Applied::Skipped)
    }

    fn undo(&self, stored: &[u8], limit: usize, out: &mut Vec<u8>) -> Result<()> {
        let corrupt = |what| Err(Error::new(ErrorKind::Corrupt, what));
        let end = out.len().saturating_add(limit);
        let mut stored = stored.iter();
        while let Some(&byte) = stored.next() {
            let len = match (byte, stored.as_slice().first()) {
                (0, None) => return corrupt("a run without a length"),
                (0, Some(&len)) => {
                    stored.next();
                    usize::from(len)
                }
                _ => 1,
            };
            if len > end - out.len() {
                return corrupt("more than a body may have");
            }
            out.resize(out.len() + len, byte);
        }
        Ok(())
    }
}
