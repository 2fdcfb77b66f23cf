//! Laws about files that the store did not make.
//!
//! Somebody puts them there, beside the store at work or between two of its lives: an operator, a
//! script, a restore that went wrong. What the store cannot prove to be its own it leaves alone.

use wal_core::{SegmentId, SegmentStore};

use super::{ONE, Outcome, StoreCase, TWO, bytes, holds, listed, there, unit};
use crate::law::{Files, Saw, saw};
use crate::{Harm, Stranger};

const THREE: SegmentId = SegmentId::new(3);
const TEXT: &[u8] = b"notes of a person, that no store has any business with\n";

/// Segments 1 and 2, and what a third one is called.
fn names_of_a_third(case: &mut StoreCase<'_>) -> Result<Vec<String>, Saw> {
    case.renew();
    let store = case.hold()?;
    let unit = unit(&store);
    let _first = there(&store, ONE, 0)?;
    let _second = there(&store, TWO, 0)?;
    let before = case.files()?;
    let mut third = there(&store, THREE, 0)?;
    third.append(&bytes(unit, 3))?;
    third.syncer().sync()?;
    let names = case.files()?.into_keys().filter(|name| !before.contains_key(name)).collect();
    case.renew();
    Ok(names)
}

fn there_still(case: &StoreCase<'_>, name: &str) -> Outcome {
    let file = case.files()?.remove(name);
    saw(&format!("{name} is as the stranger left it"), file.as_deref() == Some(TEXT), true)
}

/// What a failed `create` deleted under the number, and what a naming by rename replaced.
pub(super) fn what_has_a_segments_name_is_never_replaced(case: &mut StoreCase<'_>) -> Outcome {
    for name in names_of_a_third(case)? {
        for early in [true, false] {
            case.renew();
            let store = case.hold()?;
            let (_first, _second) = (there(&store, ONE, 0)?, there(&store, TWO, 0)?);
            let put = || case.stranger(Stranger::Puts(name.clone(), TEXT.to_vec()));
            let content = bytes(unit(&store), 3);
            if early {
                put()?;
            }
            let made = store.create(THREE, 0);
            let in_use = case.files()?.contains_key(&name);
            if !early && in_use {
                continue;
            }
            if !early {
                put()?;
            }
            let named = made.and_then(|mut writer| {
                writer.append(&content)?;
                writer.syncer().sync()
            });
            if named.is_ok() {
                holds(&store, THREE, &content)?;
            }
            there_still(case, &name)?;
            saw("segment 1 is there", listed(&store)?.contains(&1), true)?;
        }
    }
    Ok(())
}

/// A person who puts a file aside calls it `.old`, and it may be the only copy.
pub(super) fn what_it_did_not_make_is_left_alone(case: &mut StoreCase<'_>) -> Outcome {
    let mut names = names_of_a_third(case)?;
    let stems: Vec<_> =
        names.iter().map(|name| name.split('.').next().unwrap_or(name).to_owned()).collect();
    for stem in stems.iter().chain([&"00000000000000000001".to_owned()]) {
        names.extend(["old", "new", "tmp", "bak", "wal~"].map(|ending| format!("{stem}.{ending}")));
    }
    // What is called as a segment is, is a matter of other laws.
    names.drain(..stems.len());
    names.extend(["notes.txt", "LOCK.old", "spare-1.tmp", ".hidden"].map(str::to_owned));
    let taken = case.files()?;
    names.retain(|name| !taken.contains_key(name));
    for name in &names {
        case.stranger(Stranger::Puts(name.clone(), TEXT.to_vec()))?;
    }
    for _ in 0..2 {
        work(case)?;
        case.inflict(Harm::Kill).ok();
        names.iter().try_for_each(|name| there_still(case, name))?;
    }
    Ok(())
}

/// Everything that changes a store.
fn work(case: &StoreCase<'_>) -> Outcome {
    let store = case.hold()?;
    let unit = unit(&store);
    store.write_anchor(&bytes(80, 1))?;
    for id in [ONE, TWO, THREE] {
        there(&store, id, unit as u64 * 40)?.append(&bytes(unit * 4, 1))?;
    }
    store.trim(ONE, unit as u64)?;
    store.remove(&[ONE, TWO])?;
    let _next = there(&store, SegmentId::new(4), unit as u64 * 40)?;
    saw("segments", listed(&store)?, vec![3, 4])?;
    store.remove(&[THREE, SegmentId::new(4)])?;
    Ok(())
}

/// A log that begins anew where there is something that it cannot read loses what that was.
pub(super) fn what_cannot_be_read_is_not_passed_over(case: &mut StoreCase<'_>) -> Outcome {
    type Spoils = fn(&[u8]) -> Vec<u8>;
    let ways: [(&str, Spoils); 4] = [
        ("emptied", |_| Vec::new()),
        ("cut to a byte", |bytes| bytes[..bytes.len().min(1)].to_vec()),
        ("zeroed", |bytes| vec![0; bytes.len()]),
        ("overwritten by text", |_| TEXT.to_vec()),
    ];
    let names = names_of_a_third(case)?;
    for (name, (what, spoil)) in names.iter().flat_map(|name| ways.map(|way| (name, way))) {
        case.renew();
        let store = case.hold()?;
        for id in [ONE, TWO, THREE] {
            let mut writer = there(&store, id, 0)?;
            writer.append(&bytes(unit(&store), 1))?;
            writer.syncer().sync()?;
        }
        drop(store);
        let files: Files = case.files()?;
        let Some(file) = files.get(name) else { continue };
        case.stranger(Stranger::Puts(name.clone(), spoil(file)))?;
        let Ok(store) = case.open() else { continue };
        let Ok(found) = listed(&store) else { continue };
        saw(&format!("segment 3 is listed, {what}"), found.contains(&3), true)?;
    }
    Ok(())
}
