//! Laws of quiet days: numbers, order, reading, reopening.

use wal_core::{ErrorKind, Lsn};

use super::story::Story;
use super::{LogCase, Outcome};
use crate::law::saw;

pub(super) fn lsns_are_dense_from_one(case: &mut LogCase<'_>) -> Outcome {
    let log = case.open()?;
    saw("the first LSN", log.append(b"a")?, Lsn::new(1))?;
    saw("the next LSN", log.append(b"b")?, Lsn::new(2))?;
    let batch = [b"c".to_vec(), b"d".to_vec(), b"e".to_vec()];
    saw("the last LSN of a batch of 3", log.append_batch(&batch)?, Lsn::new(5))?;
    log.sync()?;
    saw("the LSN after the batch", log.append(b"f")?, Lsn::new(6))?;
    Ok(log.close()?)
}

pub(super) fn records_come_back_in_order(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for length in 0..40 {
        let lsn = story.append(&log, length * 3)?;
        if length % 7 == 0 {
            story.append_batch(&log, 3, length)?;
            story.wait(&log, lsn)?;
            story.check(&log)?;
        }
    }
    story.sync(&log)?;
    saw("records read", story.check(&log)?, (1, story.last()))?;
    Ok(log.close()?)
}

/// All zeros too: etcd took a sector of zeros for a tear, and a user's own zeros with it.
pub(super) fn records_of_any_length_come_back(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for length in [0, 1, 7, 8, 511, 512, 513, 4096, 100_000, 3] {
        story.append_bytes(&log, vec![0; length])?;
        story.append_bytes(&log, vec![0xff; length])?;
        story.append(&log, length)?;
        story.sync(&log)?;
    }
    saw("records read", story.check(&log)?, (1, story.last()))?;
    log.close()?;
    let log = case.open()?;
    saw("records read after reopening", story.check(&log)?, (1, story.last()))?;
    Ok(log.close()?)
}

pub(super) fn reading_begins_where_it_is_told(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for round in 0..10 {
        story.append(&log, 300)?;
        story.append_batch(&log, 4, 50 * round)?;
        story.sync(&log)?;
    }
    let all = log.entries(Lsn::FIRST)?;
    for from in [1, 2, 4, 25, 26, 30, 50] {
        let wanted = &all[usize::try_from(from).unwrap_or(1) - 1..];
        saw("records from there on", log.entries(Lsn::new(from))? == wanted, true)?;
    }
    Ok(log.close()?)
}

pub(super) fn records_cross_segments(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for _ in 0..60 {
        for _ in 0..5 {
            story.append(&log, 400)?;
        }
        story.sync(&log)?;
    }
    saw("records read", story.check(&log)?, (1, 300))?;
    log.close()?;
    let log = case.open()?;
    saw("records read after reopening", story.check(&log)?, (1, 300))?;
    Ok(log.close()?)
}

pub(super) fn reopening_goes_on_with_the_next_lsn(case: &mut LogCase<'_>) -> Outcome {
    let mut story = Story::new();
    for _ in 0..5 {
        let log = case.open()?;
        story.commit(&log, 100)?;
        story.append(&log, 10)?;
        log.close()?;
        story.closed();
    }
    let log = case.open()?;
    saw("records read", story.check(&log)?, (1, 10))?;
    saw("the durable LSN", log.durable_lsn(), Lsn::new(10))?;
    Ok(log.close()?)
}

pub(super) fn an_empty_log_opens_again(case: &mut LogCase<'_>) -> Outcome {
    for _ in 0..4 {
        let log = case.open()?;
        saw("records of an empty log", log.entries(Lsn::FIRST)?.len(), 0)?;
        saw("the durable LSN of an empty log", log.durable_lsn(), Lsn::ZERO)?;
        log.close()?;
    }
    let (log, mut story) = (case.open()?, Story::new());
    story.commit(&log, 10)?;
    saw("records read", story.check(&log)?, (1, 1))?;
    Ok(log.close()?)
}

pub(super) fn waiting_for_an_lsn_never_issued_is_an_error(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    for _ in 0..3 {
        for never in [story.last() + 1, story.last() + 100, u64::MAX] {
            let error = log.wait(Lsn::new(never)).err().map(|error| error.kind());
            saw(&format!("waiting for {never}"), error, Some(ErrorKind::Invalid))?;
        }
        story.commit(&log, 10)?;
    }
    Ok(log.close()?)
}

pub(super) fn the_durable_lsn_covers_what_was_acknowledged(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    let mut before = log.durable_lsn();
    saw("the durable LSN of a fresh log", before, Lsn::ZERO)?;
    for round in 0..20 {
        let lsn = story.append(&log, 100)?;
        story.append(&log, 100)?;
        if round % 3 == 0 {
            story.wait(&log, lsn)?;
            saw("the durable LSN covers the one waited for", log.durable_lsn() >= lsn, true)?;
        }
        let durable = log.durable_lsn();
        saw("the durable LSN grows", durable >= before, true)?;
        saw("the durable LSN is one that was issued", durable.get() <= story.last(), true)?;
        before = durable;
    }
    story.sync(&log)?;
    saw("the durable LSN after a sync", log.durable_lsn(), Lsn::new(story.last()))?;
    Ok(log.close()?)
}

pub(super) fn a_second_writer_is_refused(case: &mut LogCase<'_>) -> Outcome {
    let (log, mut story) = (case.open()?, Story::new());
    story.commit(&log, 10)?;
    let second = case.open().err().map(|error| error.kind());
    saw("opening a log that is open", second, Some(ErrorKind::Locked))?;
    story.commit(&log, 10)?;
    log.close()?;
    let log = case.open()?;
    saw("records read", story.check(&log)?, (1, 2))?;
    Ok(log.close()?)
}
