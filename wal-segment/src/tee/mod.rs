//! Segments in two stores at once.
//!
//! # Why neither half wins by its place
//!
//! Every create, append and sync returns in both halves before the next one is begun, and removals
//! follow a start that is durable in both. So a crash leaves of two halves at most: one newest segment in
//! one half alone; other bytes behind what was synced, in the segments that were being written; segments
//! that are no part of the log any more in one half; an anchor that is one write behind. Everything else
//! is damage, or a half put back from a copy, and neither is told from a crash by which half it is in.
//!
//! At the lock each half is read as a log by itself ([`view`](self::view)): the newest segment in force,
//! frame by frame; back from there every segment that the log consists of, as far as its successor says
//! that it counts; and the half's own anchor. A half is *whole* where nothing of that is missing, wrong,
//! or vouched for and not there. Then ([`verdict`](self::verdict)):
//!
//! - **Both whole.** Numbers and ends grow: of one lineage, the half with the later newest segment, or
//!   the later end of it, holds all that the other one acknowledged, since a cut (`truncate_after`, a
//!   recovery) is itself a later segment. It is taken, be the other one behind by a crash or by a year.
//!   Another log, or another file under the same number, is no lineage: refused.
//! - **One whole.** The other one is healed from it, unless there is a sign that it knew of more: a frame
//!   or a segment behind the whole one's end, or an anchor that goes further. Then nothing is known to
//!   have all, and the pair is refused.
//! - **Neither.** Refused, unless both are the same, byte for byte: then the log says what is wrong.
//!
//! Nothing of either half is changed before the verdict. The half that is made the same is marked first
//! ([`history`](self::history)); what is replaced in it or taken from it, and is not in the other one, is
//! copied to a number of the pair's own first ([`kept`](self::kept)).
//!
//! # What cannot be known
//!
//! - The last frames of a log that was not closed are vouched for by nothing. Where they are in one half
//!   alone, that is a crash or rot; the half that has them is taken, and no record is lost either way.
//! - Segments that are not of the format, or of a version that this build does not know, have no ends and
//!   no checksums ([`plain`](self::plain)). The half that holds all that the other one does is taken;
//!   where both have bytes that the other lacks, in no more than the last two segments, the first half;
//!   else the pair is refused. In space that was used before, appended bytes cannot be told from others:
//!   there, damage to settled segments is not seen.
//! - A half that is put back from a copy of the same life of the pair, of bytes that are not of the
//!   format, is known by nothing but by having less. One of an earlier life is known by its marks.
//! - In a store where a segment is there before its first sync, an emptied newest mark looks like one
//!   whose making a crash interrupted, and counts as none. What the half holds is judged all the same.

mod copy;
mod half;
mod history;
mod kept;
mod lenient;
mod pair;
mod plain;
mod relation;
mod run;
mod segment;
mod store;
mod verdict;
mod view;

pub use half::{Half, Mismatch, OnLoss};
pub use kept::Kept;
pub use store::TeeStore;
