//! The strategy whose flushes a task decides on, on a runtime that may end at any step.

use shuttle::future::block_on;
use shuttle::thread;
use wal_commit::{Handle, TokioCommit};
use wal_core::{ErrorKind, Lsn};

use crate::closing::{close_in_the_middle, truncate_beside_an_append};
use crate::committing::three_producers;
use crate::common::{left_of, one_segment, small_segments};
use crate::explore;
use crate::failing::storm;
use crate::threads::{
    a_batch_panics, close_without_room, no_room_and_a_close, nobody_waits, tasks_wait_for_room,
    wait_for_a_full_disk,
};
use crate::world::{Fate, World, join};

#[test]
fn what_a_task_acknowledges_is_durable() {
    explore(|| three_producers(&World::new(TokioCommit::new(), one_segment())));
    explore(|| three_producers(&World::new(TokioCommit::new(), small_segments())));
}

#[test]
fn records_that_nobody_waits_for_become_durable_on_a_runtime() {
    explore(|| nobody_waits(TokioCommit::new()));
}

#[test]
fn a_failed_step_loses_nothing_on_a_runtime() {
    explore(|| storm(TokioCommit::new(), Fate::Fails));
    explore(|| storm(TokioCommit::new(), Fate::Panics));
}

#[test]
fn a_full_disk_loses_nothing_on_a_runtime() {
    explore(|| storm(TokioCommit::new(), Fate::Full));
    explore(|| wait_for_a_full_disk(TokioCommit::new(), false));
    explore(|| wait_for_a_full_disk(TokioCommit::new(), true));
}

#[test]
fn a_close_drains_on_a_runtime() {
    explore(|| close_in_the_middle(TokioCommit::new(), Fate::Well));
    explore(|| close_in_the_middle(TokioCommit::new(), Fate::Fails));
    explore(|| close_in_the_middle(TokioCommit::new(), Fate::Full));
}

#[test]
fn a_close_without_room_leaves_nobody_waiting_on_a_runtime() {
    explore(|| close_without_room(TokioCommit::new()));
    explore(|| no_room_and_a_close(TokioCommit::new()));
    explore(|| tasks_wait_for_room(TokioCommit::new()));
}

#[test]
fn a_batch_that_panics_leaves_nobody_waiting_on_a_runtime() {
    explore(|| a_batch_panics(TokioCommit::new()));
}

#[test]
fn a_truncation_comes_before_an_append_or_after_it_on_a_runtime() {
    explore(|| {
        truncate_beside_an_append(&World::new(TokioCommit::new(), small_segments()));
    });
}

/// The runtime ends while threads and a task commit. A thread's wait ends well whenever it began; a task's
/// wait does, or says that the runtime has ended; no thread and no task is left waiting. What is staged when the runtime
/// ends is flushed with no further call.
#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    explore(|| {
        let runtime = Handle::current();
        let world = World::new(TokioCommit::on(runtime.clone()), small_segments());
        let threads = (0..2).map(|name| {
            world.spawn(move |world| {
                for n in 0..2 {
                    let lsn = world.append(&[name, n]).unwrap();
                    world.log.wait(lsn).unwrap();
                    world.acknowledge(lsn, &[name, n]);
                }
            })
        });
        let task = world.spawn(|world| {
            for n in 0..2 {
                let lsn = world.append(&[9, n]).unwrap();
                match block_on(world.log.wait_async(lsn)) {
                    Ok(()) => world.acknowledge(lsn, &[9, n]),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}"),
                }
            }
        });
        let ending = thread::spawn(move || runtime.end());
        join(threads.chain([task, ending]));
        world.check();
        world.log.close().unwrap();
        assert_eq!(left_of(&world.disk).last_lsn(), Lsn::new(6));
    });
}

/// What was staged before the runtime ended is flushed by its end, with no thread or task that waits.
#[test]
fn the_end_of_a_runtime_flushes_what_is_staged() {
    explore(|| {
        let runtime = Handle::current();
        let world = World::new(TokioCommit::on(runtime.clone()), one_segment());
        let lsn = world.append(b"kept").unwrap();
        runtime.end();
        world.until_durable(lsn);
        assert_eq!(left_of(&world.disk).record(lsn), b"kept");
        world.log.close().unwrap();
    });
}

/// A log on a runtime that had ended before it was opened: threads flush for themselves.
#[test]
fn a_runtime_that_has_ended_runs_no_task() {
    explore(|| {
        let runtime = Handle::current();
        runtime.end();
        let world = World::new(TokioCommit::on(runtime), one_segment());
        let lsn = world.append(b"kept").unwrap();
        let task = block_on(world.log.wait_async(lsn));
        assert!(task.is_ok() || task.unwrap_err().kind() == ErrorKind::Invalid);
        world.log.wait(lsn).unwrap();
        world.acknowledge(lsn, b"kept");
        world.log.close().unwrap();
    });
}

/// A close while the runtime ends.
#[test]
fn a_close_beside_the_end_of_the_runtime_drains() {
    explore(|| {
        let runtime = Handle::current();
        let world = World::new(TokioCommit::on(runtime.clone()), one_segment());
        let lsn = world.append(b"kept").unwrap();
        let ending = thread::spawn(move || runtime.end());
        let closing = world.spawn(|world| world.log.close().unwrap());
        join([ending, closing]);
        assert_eq!(left_of(&world.disk).record(lsn), b"kept");
    });
}
