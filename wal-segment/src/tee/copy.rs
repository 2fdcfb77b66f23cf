//! Making one half the same as the other.

use std::io;

use wal_core::format::{Anchor, is_blank};
use wal_core::{SegmentId, SegmentReader, SegmentStore, Unwritten};

use super::history::{History, Mark, Standing, is_reserved};
use super::kept;
use super::plain::{Bytes, is_unsettled};
use super::run::{Run, is_blank_from};
use super::verdict::Verdict;
use super::view::{View, Word};

/// Bytes read and written at a time; a multiple of every alignment in use.
const CHUNK: usize = 64 * 1024;
/// The unit in which a store gives back what is behind a segment's end.
const BLOCK: usize = 4096;

/// The segments of a half, the pair's own left out.
pub(super) fn segments(store: &dyn SegmentStore) -> io::Result<Vec<SegmentId>> {
    Ok(store.list()?.into_iter().filter(|id| !is_reserved(*id)).collect())
}

/// Gives `to` what `from` has, and both a mark that they are together. Both are locked.
///
/// Before a byte of `to` changes it is marked as unfinished. After a crash in the middle `from` is
/// the good half, and this can be done again. What is replaced in `to` or taken from it, and is not in
/// `from`, is [kept](kept::keep) first.
pub(super) fn rebuild(from: &dyn SegmentStore, to: &dyn SegmentStore) -> io::Result<()> {
    let mut history = History::read_whatever(from)?;
    if history.last_taken().is_none() {
        alone(from)?;
        history = History::read_whatever(from)?;
    }
    let Some(last) = history.last_taken() else {
        return Err(io::Error::other("a mark that was written is not there"));
    };
    let unfinished = History::read_whatever(to)?.unfinished(last, history.highest());
    unfinished.write(to)?;
    make_same(from, to)?;
    let together = unfinished.together(&history);
    together.write(from)?;
    together.write(to)
}

/// Marks both anew, of which the second is the same as the first.
///
/// Where a crash, or want of room, has interrupted that before, it goes on there: offers that came one
/// after the other would push out the last mark that was taken, and the halves be strangers.
pub(super) fn advance(first: &dyn SegmentStore, second: &dyn SegmentStore) -> io::Result<()> {
    let (history, other) = (History::read_whatever(first)?, History::read_whatever(second)?);
    let open = history.last().filter(|last| last.standing() == Standing::Offered);
    if let Some(open) = open
        && other.last().is_some_and(|last| last == &open.taken())
    {
        return open.taken().write(first);
    }
    let offered = match open {
        Some(open) if *open == open.clone().behind(&other) => open.clone(),
        _ => {
            let offered = history.next(Standing::Offered).behind(&other);
            offered.write(first)?;
            offered
        }
    };
    let taken = offered.taken();
    taken.write(second)?;
    taken.write(first)
}

/// Marks a store as one that goes on alone, where its last mark does not say so already.
pub(super) fn alone(store: &dyn SegmentStore) -> io::Result<Mark> {
    let history = History::read_whatever(store)?;
    if let Some(last) = history.last()
        && last.standing() == Standing::Alone
    {
        return Ok(last.clone());
    }
    let mark = history.next(Standing::Alone);
    mark.write(store)?;
    Ok(mark)
}

/// The anchor that both are to have, whichever was written last: where the log is in both, the one
/// that says more.
pub(super) fn settle_anchors(
    stores: [&dyn SegmentStore; 2],
    views: &[View; 2],
    verdict: Verdict,
) -> io::Result<()> {
    let [first, second] = [&views[0].anchor, &views[1].anchor];
    let good = match verdict {
        Verdict::Same => None,
        Verdict::Good(half) => Some(&views[half.index()]),
    };
    let reached = |anchor: &Anchor| {
        good.is_none_or(|good| good.ends() >= Some((anchor.newest, anchor.last_lsn)))
    };
    let wanted = match (first, second) {
        (one, other) if one == other => return Ok(()),
        (Word::Log(one), Word::Log(other)) if reached(one) && reached(other) => {
            let second_says_more = (other.newest, other.last_lsn, other.start.segment)
                > (one.newest, one.last_lsn, one.start.segment);
            if second_says_more { second } else { first }
        }
        _ if good.is_some_and(|good| good.anchor.bytes().is_some()) => {
            good.map_or(first, |good| &good.anchor)
        }
        (one, _) if one.bytes().is_some() => one,
        (_, other) => other,
    };
    let Some(bytes) = wanted.bytes() else { return Ok(()) };
    for (store, word) in stores.into_iter().zip([first, second]) {
        if word != wanted {
            store.write_anchor(&bytes)?;
        }
    }
    Ok(())
}

/// Segments and anchor of `to` become those of `from`.
fn make_same(from: &dyn SegmentStore, to: &dyn SegmentStore) -> io::Result<()> {
    let (wanted, found) = (View::of(from)?, View::of(to)?);
    let (mut gone, mut copied) = (Vec::new(), Vec::new());
    for &id in &wanted.ids {
        if !found.ids.contains(&id) {
            copied.push(id);
        } else if !is_same([from, to], [&wanted, &found], id)? {
            gone.push(id);
            copied.push(id);
        }
    }
    gone.extend(found.ids.iter().filter(|id| !wanted.ids.contains(id)));
    for &id in &gone {
        if !is_contained([from, to], [&wanted, &found], id)? {
            kept::keep(to, id)?;
        }
    }
    to.remove(&gone)?;
    for id in copied {
        copy(from, to, id)?;
    }
    copy_anchor(&wanted, to, &found)
}

fn copy_anchor(wanted: &View, to: &dyn SegmentStore, found: &View) -> io::Result<()> {
    if wanted.anchor == found.anchor && wanted.anchor != Word::Damaged {
        return Ok(());
    }
    match (&wanted.anchor, &wanted.log) {
        (Word::None, None) if found.anchor == Word::None => Ok(()),
        // What it had is of another log, or of more than there is. No bytes are no anchor.
        (Word::None | Word::Damaged, None) => to.write_anchor(&[]),
        (Word::None | Word::Damaged, Some(log)) => {
            let anchor = Anchor::new(log.id, log.newest, log.tail.last_lsn, log.start);
            let first_lsn = wanted.header(log.newest).map(|newest| newest.first_lsn);
            to.write_anchor(&anchor.of_newest(first_lsn.unwrap_or_default(), 0).encode())
        }
        (word, _) => word.bytes().map_or(Ok(()), |bytes| to.write_anchor(&bytes)),
    }
}

/// Whether a segment of both needs no copy: the same frames, or the same bytes.
fn is_same(stores: [&dyn SegmentStore; 2], views: [&View; 2], id: SegmentId) -> io::Result<bool> {
    let link = |view: &View| Some(*view.log.as_ref()?.chain.get(&id)?);
    let links = views.map(link);
    let newest = views.iter().any(|view| view.log.as_ref().is_some_and(|log| log.newest == id));
    if let [Some(one), Some(other)] = links
        && !newest
        && views.iter().all(|view| !view.unknown)
    {
        return Ok(one == other);
    }
    if newest
        && let [Some(one), Some(other)] = views.map(|view| view.log.as_ref())
        && views.iter().all(|view| !view.unknown && view.flaw.is_none())
        && one.newest == other.newest
    {
        return Ok(links[0] == links[1] && one.tail == other.tail);
    }
    let [one, other] = [stores[0].open(id)?, stores[1].open(id)?];
    let used = stores.iter().any(|store| store.guarantees().unwritten != Unwritten::Zeros);
    let space = views[0].header(id).map_or(0, |header| header.space);
    if other.size()? < space.min(one.size()?) {
        return Ok(false);
    }
    if used
        && one.size()?.next_multiple_of(BLOCK as u64)
            != other.size()?.next_multiple_of(BLOCK as u64)
    {
        return Ok(false);
    }
    Ok(Bytes::of(&*one, &*other)?.are_same())
}

/// Whether all that a segment of `to` holds is in `from`, or is no part of the log any more.
fn is_contained(
    [from, to]: [&dyn SegmentStore; 2],
    [wanted, found]: [&View; 2],
    id: SegmentId,
) -> io::Result<bool> {
    let reader = to.open(id)?;
    if is_blank_from(&*reader, 0)? {
        return Ok(true);
    }
    let known = wanted.log.is_some() && !wanted.unknown && !found.unknown;
    if let (true, Some(header), Some(log)) = (known, found.header(id), &wanted.log)
        && header.log == log.id
    {
        if !wanted.ids.contains(&id) {
            // The log that is taken is whole, and says that this one is not in it.
            return Ok(id < log.newest || Run::last_seen(&*reader, header)? == header_end());
        }
        if let Some(original) = wanted.header(id) {
            let run = Run::scan(&*reader, header, None)?;
            let whole = Run::scan(&*from.open(id)?, original, None)?;
            return Ok(original == header
                && !run.damaged
                && run.seen <= whole.end + whole.seal_len
                && !whole.damaged);
        }
    }
    if !wanted.ids.contains(&id) {
        return Ok(false);
    }
    if !wanted.has_format() && is_unsettled(id, &wanted.ids) {
        // Of bytes that no sync had covered, any may be there after a crash.
        return Ok(true);
    }
    let bytes = Bytes::of(&*from.open(id)?, &*reader)?;
    Ok(!bytes.differ && !bytes.more_in_second)
}

const fn header_end() -> u64 {
    wal_core::format::HEADER_LEN as u64
}

/// Copies all bytes of a segment. Where the store gives it a file that was used before, or one that is
/// longer, what is behind them is cut, and zeros up to the block: an older copy of the same segment,
/// of which frames would be sound here, must not show behind this one's end.
pub(super) fn copy(
    from: &dyn SegmentStore,
    to: &dyn SegmentStore,
    id: SegmentId,
) -> io::Result<()> {
    copy_as(&*from.open(id)?, to, id, &[])
}

/// As [`copy`], under another number and behind these bytes, which are a multiple of a block.
pub(super) fn copy_as(
    reader: &dyn SegmentReader,
    to: &dyn SegmentStore,
    id: SegmentId,
    before: &[u8],
) -> io::Result<()> {
    let size = reader.size()?;
    let alignment = BLOCK.max(to.guarantees().alignment as usize);
    let len = (before.len() as u64 + size).next_multiple_of(alignment as u64);
    let mut writer = to.create(id, len)?;
    let given = writer.space();
    let zeros_there = given.unwritten == Unwritten::Zeros && given.durable_len >= len;
    let mut head = before.to_vec();
    head.resize(before.len().next_multiple_of(alignment), 0);
    if !head.is_empty() {
        writer.append(&head)?;
    }
    let (mut buffer, mut offset, mut zeros) = (vec![0; CHUNK], 0, 0);
    while offset < size {
        let count = reader.read_at(offset, &mut buffer)?;
        if count == 0 {
            break;
        }
        offset += count as u64;
        let padded = count.next_multiple_of(alignment).min(CHUNK.max(count));
        buffer[count..padded].fill(0);
        if is_blank(&buffer[..padded]) {
            // Written once something else follows, or not at all where zeros are there already.
            zeros += padded as u64;
            continue;
        }
        append_zeros(&mut *writer, std::mem::take(&mut zeros))?;
        writer.append(&buffer[..padded])?;
    }
    if !zeros_there {
        append_zeros(&mut *writer, zeros)?;
    }
    writer.syncer().sync()?;
    drop(writer);
    if to.open(id)?.size()? > len {
        to.trim(id, len)?;
    }
    Ok(())
}

fn append_zeros(writer: &mut dyn wal_core::SegmentWriter, mut count: u64) -> io::Result<()> {
    let zeros = vec![0; CHUNK.min(usize::try_from(count).unwrap_or(CHUNK))];
    while count > 0 {
        let some = zeros.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        writer.append(&zeros[..some])?;
        count -= some as u64;
    }
    Ok(())
}
