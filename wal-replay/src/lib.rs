//! The bytes back to state: recovery, cursors, replay engines, verification.
//!
//! - [`survey`] reads a log as a crash left it and changes nothing; [`recover`] repairs it and says
//!   where a writer goes on; [`truncate`] cuts the end off on purpose. [`verify`] reads every byte.
//! - A [`Cursor`] walks from any LSN over all segments.
//! - A [`ReplayEngine`](wal_core::ReplayEngine) feeds a cursor's entries to the user's state;
//!   [`Sequential`] is the plain one that all others must equal.
//!
//! # Torn or corrupt
//!
//! A log that was being written when the power went has a *torn tail*: bytes of frames that no sync
//! had covered. Anything else that is not as it was written is *corruption*, and never cut. At the
//! first bytes that are no valid frame, where the record `L` was expected at the byte `X`:
//!
//! 1. A frame header further on that is sound and [vouches](wal_core::format::FrameHeader::vouches_for)
//!    for `L` or for `X` means corruption: it was written after a sync of what is damaged. So does a
//!    successor whose header says that the segment is longer, and the log's anchor, which knows of a
//!    record, and how far a closed or a repaired segment was durable.
//! 2. A sound frame header further from `X` than could ever have been in flight means corruption.
//! 3. Nothing but zeros from `X` on is the end of the log; anything else there is a torn tail. A block further
//!    on that the medium does not give counts as anything else; one that the frame at `X` has a part in is an
//!    error, since that frame may be sound.
//!
//! Where the segment's header says that its space was used before
//! ([`Unwritten::Anything`](wal_core::Unwritten)), bytes that are not sound frame headers of this very
//! segment count as never written: rule 3, too, then looks at such headers alone.
//!
//! Zeros alone prove nothing, and neither does garbage: only identity, watermark and the bound on
//! what was in flight decide.

mod anchor;
mod carried;
mod chain;
mod cursor;
mod damaged;
mod doubt;
mod frames;
mod fresh;
mod moved;
mod prefix;
mod probe;
mod prune_first;
mod recovery;
mod scan;
mod segment;
mod segment_info;
mod sequential;
mod stranger;
mod survey;
mod transforms;
mod truncation;
mod unfinished;
mod verify;

pub use chain::{Chain, Removable};
pub use cursor::{Cursor, Until};
pub use damaged::Damaged;
pub use prefix::prefix;
pub use prune_first::{PrunedFirst, left_alone, prune_first};
pub use recovery::{RecoverOptions, Recovery, recover};
pub use scan::{Ending, FrameNote, Scan};
pub use segment_info::{PastDamage, SegmentInfo, SegmentState};
pub use sequential::Sequential;
pub use stranger::Stranger;
pub use survey::{Survey, inspect, survey};
pub use transforms::Transforms;
pub use truncation::truncate;
pub use unfinished::CopyMark;
pub use verify::{Finding, SegmentVerdict, Verdict, Verification, examine, is_unreadable, verify};
