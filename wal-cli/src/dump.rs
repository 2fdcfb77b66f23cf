//! `wal dump`: the segments and frames of a log.

use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use wal::parts::core::format::{FrameHeader, FrameKind, HEADER_LEN, Identity, SegmentHeader};
use wal::parts::core::{SegmentReader, Unwritten};
use wal::{Error, SegmentId, Verdict};

use crate::failure::CORRUPT;
use crate::log::Log;
use crate::out::Out;
use crate::verify::{self, ToldFinding};
use crate::walk::{Body, Piece, walk};

/// Print the segments and frames of a log, and how it is
///
/// Each frame comes with its offset, kind, LSN range, durable watermark and the verdict of its
/// checksums: ok, BAD where the body does not match, or a line for the bytes in which no frame
/// header is sound; behind the last frame of a segment that lies in the space of another one, these are
/// what that one left. Frames behind damage are shown, too. Where a segment reads otherwise when it is
/// looked at again, since a writer used its file again or is writing it, a line says so: what was
/// called BAD there may be sound. The verdict of verify comes last; exit code 4 where that is
/// corruption, else 0.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's directory
    dir: PathBuf,
    /// One JSON object a line, told apart by "type": segment, frame, damage, unreadable,
    /// `used_before`, changed, finding, verdict
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let log = Log::open(&args.dir)?;
    let mut dump = Dump { out: Out::new(), form: if args.json { Form::Json } else { Form::Text } };
    let segments = log.segments()?;
    let mut successor: Option<Segment> = None;
    for (at, &id) in segments.iter().enumerate() {
        let segment = match successor.take() {
            Some(segment) => Some(segment),
            None => Segment::open(&log, id)?,
        };
        successor = match segments.get(at + 1) {
            Some(&next) => Segment::open(&log, next)?,
            None => None,
        };
        if let Some(segment) = segment {
            dump.segment(&segment, successor.as_ref())?;
        }
    }
    dump.verdict(&log)
}

struct Segment {
    id: SegmentId,
    header: Option<SegmentHeader>,
    size: u64,
    reader: Box<dyn SegmentReader>,
}

impl Segment {
    /// `None` where it has been pruned since it was listed.
    fn open(log: &Log, id: SegmentId) -> anyhow::Result<Option<Self>> {
        let reader = match log.store.open(id) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|cause| at(id, "opening a segment failed", cause))?,
        };
        let size = reader
            .size()
            .map_err(|cause| Error::io("measuring a segment failed", cause).segment(id))?;
        let mut header = vec![0; HEADER_LEN];
        let read = reader.read_at(0, &mut header);
        header.truncate(read.map_err(|cause| at(id, READING, cause))?);
        let header = SegmentHeader::decode(&header).ok().filter(|header| header.id == id);
        Ok(Some(Self { id, header, size, reader }))
    }

    /// Whether it reads otherwise now than it did, with these places wrong: a writer is writing it, or
    /// has used its file again.
    fn has_changed(
        &self,
        header: &SegmentHeader,
        unwritten: Unwritten,
        end: u64,
        wrong: &[Range<u64>],
    ) -> anyhow::Result<bool> {
        let mut now = vec![0; HEADER_LEN];
        let read = self.reader.read_at(0, &mut now);
        now.truncate(read.map_err(|cause| at(self.id, READING, cause))?);
        if SegmentHeader::decode(&now).ok().as_ref() != Some(header) {
            return Ok(true);
        }
        let mut again = Vec::new();
        walk((self.id, &*self.reader), Identity::of(header), unwritten, end, &mut |piece| {
            again.extend(piece.wrong());
            Ok(())
        })?;
        Ok(again != wrong)
    }

    /// The byte behind the last one that counts, as far as the segment after this one says.
    fn accepted(&self, successor: Option<&Self>) -> Option<u64> {
        let before = successor?.header.as_ref()?.predecessor?;
        (before.id == self.id).then(|| before.length + before.seal_len)
    }
}

const READING: &str = "reading a segment failed";

fn at(id: SegmentId, what: &'static str, cause: std::io::Error) -> Error {
    Error::reading(what, cause).segment(id)
}

struct Dump {
    out: Out,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
}

impl Dump {
    fn segment(&mut self, segment: &Segment, successor: Option<&Segment>) -> anyhow::Result<()> {
        let accepted = segment.accepted(successor);
        let told = ToldSegment::of(segment, accepted);
        match self.form {
            Form::Json => self.out.json(&told)?,
            Form::Text => told.text(&mut self.out)?,
        }
        let Some(header) = &segment.header else { return Ok(()) };
        let end = accepted.unwrap_or(segment.size).min(segment.size);
        let identity = Identity::of(header);
        let mut wrong = Vec::new();
        // What the next segment takes into account was written.
        let unwritten = accepted.map_or(header.unwritten, |_| Unwritten::Zeros);
        walk((segment.id, &*segment.reader), identity, unwritten, end, &mut |piece| {
            wrong.extend(piece.wrong());
            self.piece(segment.id, &piece)
        })?;
        if wrong.is_empty() || !segment.has_changed(header, unwritten, end, &wrong)? {
            return Ok(());
        }
        let number = segment.id.get();
        match self.form {
            Form::Json => self.out.json(&Changed { r#type: "changed", segment: number }),
            Form::Text => self.out.text(format_args!(
                "  changed while it was read: what is not ok above may be sound"
            )),
        }
    }

    fn piece(&mut self, segment: SegmentId, piece: &Piece) -> anyhow::Result<()> {
        let segment = segment.get();
        match piece {
            Piece::Frame { offset, header, body } => {
                let told = ToldFrame::of(segment, *offset, header, *body);
                match self.form {
                    Form::Json => self.out.json(&told),
                    Form::Text => told.text(&mut self.out),
                }
            }
            Piece::Damaged(range) => {
                let (offset, bytes) = (range.start, range.end - range.start);
                match self.form {
                    Form::Json => {
                        self.out.json(&Damage { r#type: "damage", segment, offset, bytes })
                    }
                    Form::Text => self.out.text(format_args!(
                        "  {offset:>12} {bytes:>10}  no frame header is sound in these bytes"
                    )),
                }
            }
            Piece::Unreadable(range) => {
                let (offset, bytes) = (range.start, range.end - range.start);
                match self.form {
                    Form::Json => {
                        self.out.json(&Damage { r#type: "unreadable", segment, offset, bytes })
                    }
                    Form::Text => self.out.text(format_args!(
                        "  {offset:>12} {bytes:>10}  the disk does not give these bytes: what has a part there is BAD"
                    )),
                }
            }
            Piece::UsedBefore(range) => {
                let (offset, bytes) = (range.start, range.end - range.start);
                match self.form {
                    Form::Json => {
                        self.out.json(&Damage { r#type: "used_before", segment, offset, bytes })
                    }
                    Form::Text => self.out.text(format_args!(
                        "  {offset:>12} {bytes:>10}  behind the end: space that another segment has used"
                    )),
                }
            }
        }
    }

    fn verdict(&mut self, log: &Log) -> anyhow::Result<ExitCode> {
        let found = verify::look(log)?;
        match self.form {
            Form::Text => verify::text(&mut self.out, &found)?,
            Form::Json => {
                for finding in verify::findings(&found) {
                    self.out.json(&Finding { r#type: "finding", finding })?;
                }
                let verdict = verify::name(found.verdict);
                self.out.json(&ToldVerdict { r#type: "verdict", verdict })?;
            }
        }
        self.out.flush()?;
        Ok(match found.verdict {
            Verdict::Corrupt => ExitCode::from(CORRUPT),
            _ => ExitCode::SUCCESS,
        })
    }
}

/// All but the first three are absent where the header cannot be read; `accepted` also where no later
/// segment says how much of this one counts.
#[derive(Serialize)]
struct ToldSegment {
    r#type: &'static str,
    segment: u64,
    bytes: u64,
    epoch: Option<u64>,
    first_lsn: Option<u64>,
    predecessor: Option<u64>,
    created: Option<u64>,
    codec: Option<u32>,
    log: Option<String>,
    accepted: Option<u64>,
}

impl ToldSegment {
    fn of(segment: &Segment, accepted: Option<u64>) -> Self {
        let header = segment.header.as_ref();
        Self {
            r#type: "segment",
            segment: segment.id.get(),
            bytes: segment.size,
            epoch: header.map(|header| header.epoch.get()),
            first_lsn: header.map(|header| header.first_lsn.get()),
            predecessor: header.and_then(|header| header.predecessor).map(|before| before.id.get()),
            created: header.map(|header| header.created),
            codec: header.map(|header| header.codec.0),
            log: header.map(|header| header.log.to_string()),
            accepted,
        }
    }

    fn text(&self, out: &mut Out) -> anyhow::Result<()> {
        let Self { segment, bytes, epoch, first_lsn, predecessor, log, .. } = self;
        let (Some(epoch), Some(first_lsn), Some(log)) = (epoch, first_lsn, log) else {
            return out.text(format_args!(
                "segment {segment}: {bytes} bytes, a header that cannot be read"
            ));
        };
        let after = predecessor.map_or(String::new(), |id| format!(", after segment {id}"));
        out.text(format_args!(
            "segment {segment}: {bytes} bytes, epoch {epoch}, from LSN {first_lsn}{after}, log {log}"
        ))?;
        out.text(format_args!(
            "  {:>12} {:>10}  {:<8} {:>8}  {:<21} {:>12}  crc",
            "offset", "bytes", "kind", "records", "LSNs", "watermark"
        ))
    }
}

/// `last_lsn` is one less than `first_lsn` for a frame without records; `bytes` is the whole frame.
#[derive(Serialize)]
struct ToldFrame {
    r#type: &'static str,
    segment: u64,
    offset: u64,
    bytes: u64,
    kind: String,
    records: u32,
    first_lsn: u64,
    last_lsn: u64,
    watermark: u64,
    transform: u8,
    timestamp: u64,
    crc: &'static str,
}

impl ToldFrame {
    fn of(segment: u64, offset: u64, header: &FrameHeader, body: Body) -> Self {
        Self {
            r#type: "frame",
            segment,
            offset,
            bytes: header.frame_len(),
            kind: kind(header.kind),
            records: header.count,
            first_lsn: header.first_lsn.get(),
            last_lsn: header.last_lsn().get(),
            watermark: header.watermark.get(),
            transform: header.transform.0,
            timestamp: header.timestamp,
            crc: if body == Body::Sound { "ok" } else { "BAD" },
        }
    }

    fn text(&self, out: &mut Out) -> anyhow::Result<()> {
        let Self { offset, bytes, kind, records, first_lsn, last_lsn, watermark, crc, .. } = self;
        let range = match records {
            0 => "-".to_owned(),
            1 => first_lsn.to_string(),
            _ => format!("{first_lsn}-{last_lsn}"),
        };
        out.text(format_args!(
            "  {offset:>12} {bytes:>10}  {kind:<8} {records:>8}  {range:<21} {watermark:>12}  {crc}"
        ))
    }
}

fn kind(kind: FrameKind) -> String {
    match kind {
        FrameKind::Records => "records".into(),
        FrameKind::Padding => "padding".into(),
        FrameKind::Seal => "seal".into(),
        FrameKind::Start => "start".into(),
        FrameKind::Skippable(number) => format!("kind-{number}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

#[derive(Serialize)]
struct Changed {
    r#type: &'static str,
    segment: u64,
}

#[derive(Serialize)]
struct Damage {
    r#type: &'static str,
    segment: u64,
    offset: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Finding<'a> {
    r#type: &'static str,
    #[serde(flatten)]
    finding: ToldFinding<'a>,
}

#[derive(Serialize)]
struct ToldVerdict {
    r#type: &'static str,
    verdict: &'static str,
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicU32, Ordering};

    use wal::Lsn;
    use wal::parts::core::{Epoch, LogId};

    use super::*;

    /// A segment without frames. From the header's end on it holds something for so many reads.
    #[derive(Debug)]
    struct Shifting {
        header: SegmentHeader,
        reads: AtomicU32,
    }

    const SIZE: u64 = 3 * HEADER_LEN as u64;

    impl SegmentReader for Shifting {
        fn size(&self) -> io::Result<u64> {
            Ok(SIZE)
        }

        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let mut all = self.header.encode();
            let lasts = self.reads.load(Ordering::Relaxed);
            if offset > 0 {
                self.reads.store(lasts.saturating_sub(1), Ordering::Relaxed);
            }
            all.resize(usize::try_from(SIZE).unwrap(), if lasts > 0 { 7 } else { 0 });
            let from = usize::try_from(offset).unwrap().min(all.len());
            let count = buffer.len().min(all.len() - from);
            buffer[..count].copy_from_slice(&all[from..from + count]);
            Ok(count)
        }
    }

    fn changed(reads: u32) -> (usize, bool) {
        let log = LogId([7; 16]);
        let header = SegmentHeader::new(log, SegmentId::FIRST, Epoch::default(), Lsn::FIRST, 7);
        let reader = Shifting { header: header.clone(), reads: AtomicU32::new(reads) };
        let (id, header) = (SegmentId::FIRST, Some(header));
        let segment = Segment { id, header, size: SIZE, reader: Box::new(reader) };
        let header = segment.header.clone().unwrap();
        let mut wrong = Vec::new();
        walk(
            (segment.id, &*segment.reader),
            Identity::of(&header),
            Unwritten::Zeros,
            SIZE,
            &mut |piece| {
                wrong.extend(piece.wrong());
                Ok(())
            },
        )
        .unwrap();
        (wrong.len(), segment.has_changed(&header, Unwritten::Zeros, SIZE, &wrong).unwrap())
    }

    /// Beside a writer that uses files again, frames of a sound log were called BAD without a word.
    #[test]
    fn what_reads_otherwise_a_second_time_has_changed() {
        assert_eq!(changed(u32::MAX), (1, false), "damage stays");
        assert_eq!(changed(1), (1, true));
    }
}
