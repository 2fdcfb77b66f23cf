//! The laws for the store seam: a law for every sentence of [`SegmentStore`] that can be seen to
//! hold or not.

mod anchor;
mod append;
mod behind;
mod create;
mod lock;
mod naming;
mod read;
mod remove;
mod space;
mod stranger;
mod sync;
mod trim;

use std::io;

use wal_core::{SegmentId, SegmentReader, SegmentStore, SegmentWriter, Unwritten};

use crate::Traced;
use crate::law::{Case, Front, Law, Saw, about, law_table, saw};

pub(crate) use behind::{Behind, Synced};

/// A law for the store seam.
pub type SegmentStoreLaw = Law<dyn SegmentStore>;

#[doc(hidden)]
pub type StorePart = dyn SegmentStore;

type StoreCase<'a> = Case<'a, dyn SegmentStore>;
type Store = Traced;
type Outcome = Result<(), Saw>;

/// Every law for the store seam, for harnesses of one's own.
/// [`segment_store_laws!`](crate::segment_store_laws) makes a test of each.
pub const SEGMENT_STORE_LAWS: &[SegmentStoreLaw] =
    crate::__each_segment_store_law!((law_table)("segment_store", FRONT));

/// Laid by [`Behind`], as segments are made.
const FRONT: Front<dyn SegmentStore> =
    Front { by_default: Front::<dyn SegmentStore>::USUAL, for_unit: about, lay: |_, _| Ok(0) };

/// Proves a [`SegmentStore`]: makes a module `name` with a test for every law of the seam.
///
/// The closure makes a fresh place and returns a [`Place`](crate::Place), most easily another
/// closure that opens the store there, as a new process would. What must stay as long as the place,
/// such as a temporary directory, belongs into that inner closure; for a store in memory, so do the
/// segments. `without` admits what the place cannot do: `crash`, `kill`, `interrupt`, `fault`,
/// `room`, `stranger`. An
/// admission that is not true fails, as does a law that cannot run and is not admitted. A place
/// whose store does not promise [`Durability::Power`](wal_core::Durability::Power) is one that
/// cannot crash.
///
/// Every law is tried from the first byte of its segments on, and behind 64 KiB, a byte less and one
/// more, three times 64 KiB and three times 1 MiB. `unit = 4096` names the unit that the store works
/// in inside, such as the length of its blocks: then it is that unit, a byte less and one more, and
/// past three of them. Space that is given back may come in that unit too.
///
/// ```
/// use std::io;
/// use wal_testkit::{OnDisk, Profile, SimDisk, SimStore};
///
/// wal_testkit::segment_store_laws!(sim_store, || {
///     OnDisk::new(Profile::STRICT, |disk| Ok::<_, io::Error>(SimStore::new(disk)))
/// });
///
/// // A place made of closures, as for a directory: nothing can be done to it.
/// wal_testkit::segment_store_laws!(
///     sim_store_undisturbed,
///     || {
///         let disk = SimDisk::new(Profile::STRICT);
///         move || Ok::<_, io::Error>(SimStore::new(disk.clone()))
///     },
///     without [crash, kill, interrupt, fault, room, stranger]
/// );
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! segment_store_laws {
    ($name:ident, $fresh:expr $(,)?) => {
        $crate::segment_store_laws!($name, $fresh, without []);
    };
    ($name:ident, $fresh:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        $crate::segment_store_laws!(@at None, $name, $fresh, [$($without),*]);
    };
    ($name:ident, $fresh:expr, unit = $unit:expr $(,)?) => {
        $crate::segment_store_laws!(@at Some($unit), $name, $fresh, []);
    };
    ($name:ident, $fresh:expr, unit = $unit:expr, without [$($without:ident),* $(,)?] $(,)?) => {
        $crate::segment_store_laws!(@at Some($unit), $name, $fresh, [$($without),*]);
    };
    (@at $unit:expr, $name:ident, $fresh:expr, [$($without:ident),*]) => {
        mod $name {
            #[allow(unused_imports, reason = "what the closure names lies outside")]
            use super::*;

            $crate::__each_segment_store_law!(
                ($crate::__law_tests)
                ($crate::SEGMENT_STORE_LAWS, $crate::StorePart, $fresh, [$($without),*], $unit)
            );
        }
    };
}

/// The one list: module and name, what the law needs of a place, and its promise.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_segment_store_law {
    (($($then:tt)*) $arguments:tt) => { $($then)* ! {
        $arguments
        lock::guarantees_make_sense []
            "the guarantees are constant, the alignment is a power of two, and a sync may run";
        lock::a_second_lock_is_refused []
            "while one handle holds the store, locking it fails with WouldBlock";
        lock::a_dropped_lock_is_free []
            "dropping the lock gives the store free";
        lock::a_refused_lock_changes_nothing []
            "while another handle has the store, trying to lock it changes nothing";
        lock::nothing_changes_under_the_next_owner []
            "a writer keeps the store from the next owner, or has stopped; with the last it is free";
        lock::a_lock_dies_with_its_holder [kill]
            "a dead process's lock is free";
        lock::segments_are_listed_in_order []
            "the numbers of all segments are listed, ascending";
        lock::only_segments_are_listed []
            "what is not a segment is not listed";
        create::a_taken_number_is_refused []
            "creating a number that is taken fails with AlreadyExists and leaves the segment alone";
        create::a_synced_segment_is_there []
            "a segment is listed, and can be opened, from its first sync on";
        create::prepared_space_reads_as_zeros []
            "prepared space reads as the guarantees say";
        create::prepared_space_is_zeros_after_a_crash [crash]
            "what was never written reads as the guarantees say, also after a crash";
        create::a_created_segment_survives_a_crash [crash]
            "from its first sync on, the segment survives any crash";
        create::an_interrupted_create_leaves_zeros_or_nothing [crash, interrupt]
            "before its first sync nothing of a segment need remain, and what remains reads as zeros";
        create::a_create_without_room_gives_it_back [room]
            "a create that fails with StorageFull gives back the space it had taken";
        naming::a_segment_is_there_from_when_it_says []
            "of a store that names at the first sync: before it a segment is not there";
        naming::an_interrupted_naming_leaves_all_or_nothing [crash, interrupt]
            "of a store that names at the first sync: a segment is there with all appended before it";
        naming::nothing_is_left_of_a_writer_that_went_away []
            "of a store that names at the first sync: before it a writer that goes leaves nothing";
        space::space_reads_as_its_writer_says []
            "what a writer says of its space is constant, and is what a reader sees";
        space::promised_space_is_there_after_a_crash [crash]
            "from the first sync on a segment has the space promised, also after a crash";
        read::a_missing_segment_is_not_found []
            "opening a segment that is not there fails with NotFound";
        read::reads_stop_only_at_the_end []
            "a read fills the buffer, except at the segment's end";
        read::readers_see_appends_at_once []
            "a reader sees bytes when their append returns";
        read::short_reads_are_finished [fault]
            "short reads and interruptions are the store's to handle";
        read::a_failed_read_is_reported [fault]
            "a read that could not be done fails, and is not taken for the end";
        read::reopening_finds_everything []
            "another handle of the place finds every segment and its bytes";
        append::appends_keep_their_order []
            "appends lie behind each other, whole, in the order of the calls";
        append::the_end_is_what_was_appended []
            "the end is the number of bytes appended, prepared space not counted";
        append::a_failed_append_does_not_move_the_end [fault]
            "a failed append does not move the end, and the next append overwrites its garbage";
        append::an_append_without_room_can_be_repeated [room]
            "an append that fails with StorageFull succeeds once there is room";
        append::short_writes_are_finished [fault]
            "short writes and interruptions are the store's to handle";
        sync::synced_bytes_survive_a_crash [crash]
            "bytes appended before a successful sync are there after any crash";
        sync::a_sync_covers_every_append_before_it [crash]
            "a sync covers all appends that had returned, whenever its handle was made";
        sync::a_failed_sync_is_reported [fault]
            "a sync that could not be done fails";
        sync::syncs_run_beside_appends []
            "a syncer works while the writer goes on";
        trim::trim_keeps_what_is_before []
            "trim never changes a byte before the length";
        trim::trim_gives_back_the_rest []
            "trim gives back the space behind the length, but for one block";
        trim::trim_leaves_a_short_segment_alone []
            "a segment that is not longer stays as it is";
        trim::a_trim_survives_a_crash [crash]
            "a trim is durable when it returns";
        trim::an_interrupted_trim_keeps_what_is_before [crash, interrupt]
            "trim never rewrites a block with bytes before the length in it";
        remove::removed_segments_are_gone []
            "a removed segment is gone, and no other one is";
        remove::remove_passes_over_the_missing []
            "a segment that is not there is passed over";
        remove::a_removal_survives_a_crash [crash]
            "a removal is durable when it returns";
        remove::remove_goes_past_what_cannot_be_deleted [fault]
            "a segment that cannot be deleted does not keep those behind it, and is an error";
        remove::an_interrupted_removal_leaves_the_last [crash, interrupt]
            "segments are removed in the order given: those still there after a crash are the last";
        anchor::an_anchor_is_read_back []
            "the anchor is what was written last, whole, up to 512 bytes, and no segment";
        anchor::an_anchor_survives_the_death_of_its_process [kill]
            "the anchor of a dead process is there";
        anchor::an_anchor_survives_a_crash [crash]
            "an anchor is durable when its write returns";
        anchor::an_interrupted_anchor_is_the_old_or_the_new [crash, interrupt]
            "after a crash in the middle of a write the anchor is the one before or the new one";
        anchor::an_anchor_is_replaced_on_a_full_disk [room]
            "an anchor that is there is replaced by one as long without room";
        anchor::a_damaged_anchor_is_not_none [fault]
            "a damaged anchor is InvalidData where the store can tell, and never none";
        stranger::what_has_a_segments_name_is_never_replaced [stranger]
            "what has the name of a segment to come stays as it is, whenever it came there";
        stranger::what_it_did_not_make_is_left_alone [stranger]
            "files that the store did not make stay as they are, whatever is done to segments";
        stranger::what_cannot_be_read_is_not_passed_over [stranger]
            "a segment that was emptied, cut or overwritten is listed, or listing fails";
    } };
}

/// A segment that is there.
fn there(store: &Store, id: SegmentId, size: u64) -> Result<Box<dyn SegmentWriter>, Saw> {
    let writer = store.create(id, size)?;
    writer.syncer().sync()?;
    Ok(writer)
}

/// The unit that appends come in, here a few bytes at least.
fn unit(store: &Store) -> usize {
    usize::try_from(store.guarantees().alignment).map_or(512, |alignment| alignment.max(8))
}

/// So many bytes, none of them 0, different for every `tag`.
fn bytes(count: usize, tag: u8) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(count).map(|at| at.wrapping_mul(37).wrapping_add(tag) | 1).collect()
}

/// The whole segment, prepared space included.
fn content(store: &Store, id: SegmentId) -> Result<Vec<u8>, Saw> {
    whole(&*store.open(id)?)
}

fn whole(reader: &dyn SegmentReader) -> Result<Vec<u8>, Saw> {
    let size = usize::try_from(reader.size()?).map_err(|_| Saw::new("a size beyond memory"))?;
    let mut buffer = vec![0xaa; size];
    let count = reader.read_at(0, &mut buffer)?;
    saw("bytes read of a whole segment", count, size)?;
    Ok(buffer)
}

/// Holds where the segment begins with these bytes, and has behind them what was never written.
fn holds(store: &Store, id: SegmentId, wanted: &[u8]) -> Outcome {
    let content = content(store, id)?;
    begins(&content, id, wanted)?;
    unwritten(store, &content[wanted.len()..], id, wanted.len())
}

fn begins(content: &[u8], id: SegmentId, wanted: &[u8]) -> Outcome {
    let kept = content.iter().zip(wanted).take_while(|(seen, wanted)| seen == wanted).count();
    saw(&format!("bytes of segment {id} that are as they should be"), kept, wanted.len())
}

fn unwritten(store: &Store, content: &[u8], id: SegmentId, from: usize) -> Outcome {
    if store.guarantees().unwritten != Unwritten::Zeros {
        return Ok(());
    }
    let other = content.iter().position(|&byte| byte != 0);
    saw(
        &format!("place of the first byte of segment {id}, from {from} on, that is not zero"),
        other,
        None,
    )
}

fn listed(store: &Store) -> Result<Vec<u64>, Saw> {
    Ok(store.list()?.into_iter().map(SegmentId::get).collect())
}

/// Holds where the call failed like this.
fn refused<T>(what: &str, result: io::Result<T>, kind: io::ErrorKind) -> Outcome {
    saw(what, result.err().map(|error| error.kind()), Some(kind))
}

const ONE: SegmentId = SegmentId::new(1);
const TWO: SegmentId = SegmentId::new(2);
