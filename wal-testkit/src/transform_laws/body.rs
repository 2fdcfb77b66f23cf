//! Laws about bodies.

use std::thread;

use wal_core::{Applied, Transform, TransformId};

use super::{Outcome, TransformCase, body, stored};
use crate::chance::Chance;
use crate::law::{Saw, saw};

pub(super) fn the_id_is_its_own(case: &mut TransformCase<'_>) -> Outcome {
    let (transform, other) = (case.part_opened()?, case.part_opened()?);
    let id = transform.id();
    saw("the id is NONE", id == TransformId::NONE, false)?;
    saw("the id of another one", other.id(), id)?;
    for seed in 0..10 {
        stored(&*transform, &body(seed))?;
    }
    saw("the id later on", transform.id(), id)
}

pub(super) fn a_body_comes_back(case: &mut TransformCase<'_>) -> Outcome {
    case.each_seed(200, |case, seed| {
        let body = body(seed);
        let transform = case.part_opened()?;
        let Some(stored) = stored(&*transform, &body)? else { return Ok(()) };
        case.history().note(format!("apply to {} bytes: {} stored", body.len(), stored.len()));
        for transform in [transform, case.part_opened()?] {
            let mut out = Vec::new();
            transform.undo(&stored, body.len(), &mut out)?;
            saw("bytes that came back", out.len(), body.len())?;
            saw("the body that came back is the one", out == body, true)?;
        }
        Ok(())
    })
}

pub(super) fn the_output_is_appended(case: &mut TransformCase<'_>) -> Outcome {
    case.each_seed(40, |case, seed| {
        let (transform, body) = (case.part_opened()?, body(seed));
        for before in [1, 48, 999] {
            let there: Vec<u8> = (0..=u8::MAX).cycle().take(before).collect();
            let mut out = there.clone();
            let applied = transform.apply(&body, &mut out)?;
            saw("the bytes before are as they were", out.get(..before) == Some(&*there), true)?;
            if applied == Applied::Skipped {
                return Ok(());
            }
            let stored = out.split_off(before);
            transform.undo(&stored, body.len(), &mut out)?;
            saw("the bytes before are as they were", out.get(..before) == Some(&*there), true)?;
            saw("the body behind is the one", out.get(before..) == Some(&*body), true)?;
        }
        Ok(())
    })
}

pub(super) fn a_skipped_body_leaves_nothing(case: &mut TransformCase<'_>) -> Outcome {
    case.each_seed(100, |case, seed| {
        let (transform, body) = (case.part_opened()?, body(seed));
        for there in [vec![], vec![7; 48]] {
            let mut out = there.clone();
            if transform.apply(&body, &mut out)? == Applied::Skipped {
                saw("bytes in the output", out.len(), there.len())?;
                saw("the output is as it was", out == there, true)?;
            }
        }
        Ok(())
    })
}

pub(super) fn an_incompressible_body_stays_small(case: &mut TransformCase<'_>) -> Outcome {
    case.each_seed(20, |case, seed| {
        let transform = case.part_opened()?;
        let mut body = vec![0; 100_000];
        Chance::new(seed).fill(&mut body);
        let length = stored(&*transform, &body)?.map_or(0, |stored| stored.len());
        if length <= body.len() + body.len() / 16 + 1024 {
            return Ok(());
        }
        Err(Saw::new(format!("{} bytes of garbage are stored as {length}", body.len())))
    })
}

pub(super) fn threads_do_not_disturb_each_other(case: &mut TransformCase<'_>) -> Outcome {
    let transform: Box<dyn Transform> = case.part_opened()?;
    let work = |seeds: std::ops::Range<u64>| -> Outcome {
        for seed in seeds {
            let body = body(seed);
            let Some(stored) = stored(&*transform, &body)? else { continue };
            let mut out = Vec::new();
            transform.undo(&stored, body.len(), &mut out)?;
            saw("the body that came back is the one", out == body, true)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let threads = [0..30, 30..60, 60..90].map(|seeds| scope.spawn(|| work(seeds)));
        threads.into_iter().try_for_each(|thread| {
            thread.join().unwrap_or_else(|_| Err(Saw::new("a panic on one of three threads")))
        })
    })
}
