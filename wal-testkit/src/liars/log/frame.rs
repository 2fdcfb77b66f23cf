//! What stands in a file of the log: its frames, and the seal.

use super::LogLie;

/// In place of the number of the record before: the frame is the seal that a close writes, and
/// holds where the frames end.
pub(super) const SEAL: u64 = u64::MAX;

/// Bytes of a file before its frames: the log's identity, and its sum.
pub(super) const HEAD: usize = 16;

/// The head of a file of this log.
pub(super) fn head(id: u64) -> Vec<u8> {
    [id.to_le_bytes(), sum(&id.to_le_bytes()).to_le_bytes()].concat()
}

/// Whose file it is; `None` where that cannot be told.
pub(super) fn id_of(bytes: &[u8], lie: LogLie) -> Option<u64> {
    let id = number(bytes, 0)?;
    let sound = number(bytes, 8)? == sum(&id.to_le_bytes());
    (sound || lie == LogLie::SumsAreNotChecked).then_some(id)
}

/// Length, sum, number of the record before, count; then length and bytes of each record.
pub(super) fn frame(before: u64, records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = before.to_le_bytes().to_vec();
    body.extend((records.len() as u64).to_le_bytes());
    for record in records {
        body.extend((record.len() as u64).to_le_bytes());
        body.extend(record);
    }
    let mut frame = (body.len() as u64).to_le_bytes().to_vec();
    frame.extend(sum(&body).to_le_bytes());
    frame.extend(body);
    frame
}

/// How many records are pruned, the records, and where the valid frames end; `None` where not even
/// the snapshot is whole.
pub(super) fn parse(bytes: &[u8], lie: LogLie) -> Option<(u64, Vec<Vec<u8>>, usize)> {
    let (base, mut records, mut at) = parse_frame(bytes, lie)?;
    while at < bytes.len() {
        match parse_frame(&bytes[at..], lie) {
            Some((SEAL, _, length)) => at += length,
            Some((before, more, length)) if before == base + records.len() as u64 => {
                records.extend(more);
                at += length;
            }
            Some((_, more, length)) if lie == LogLie::RecoverySkipsDamage => {
                records.extend(more);
                at += length;
            }
            _ if lie == LogLie::RecoverySkipsDamage => at += 1,
            _ => break,
        }
    }
    Some((base, records, at))
}

/// Where the frames ended at the last close, by the seal, wherever that is.
pub(super) fn sealed_end(bytes: &[u8], lie: LogLie) -> Option<u64> {
    let seal_at = |at: usize| {
        let (before, records, _) = parse_frame(&bytes[at..], lie)?;
        (before == SEAL).then(|| number(records.first()?, 0))?
    };
    let empty = frame(SEAL, &[vec![0; 8]]);
    let candidates = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(&empty[..8]));
    candidates.filter_map(seal_at).max()
}

fn parse_frame(bytes: &[u8], lie: LogLie) -> Option<(u64, Vec<Vec<u8>>, usize)> {
    let length = number(bytes, 0)? as usize;
    let body = bytes.get(16..16_usize.checked_add(length)?)?;
    if sum(body) != number(bytes, 8)? && lie != LogLie::SumsAreNotChecked {
        return None;
    }
    let mut at = 16_usize;
    let mut records = Vec::new();
    for _ in 0..number(body, 8)? {
        let end = (at + 8).checked_add(number(body, at)? as usize)?;
        records.push(body.get(at + 8..end)?.to_vec());
        at = end;
    }
    let zeros = |record: &Vec<u8>| record.len() > 100 && record.iter().all(|&byte| byte == 0);
    if lie == LogLie::ZerosAreTheEnd && records.iter().any(zeros) {
        return None;
    }
    Some((number(body, 0)?, records, 16 + length))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, &byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
