//! What the strategy on a runtime is built of: Tokio's own, or in its place a model checker's.
//!
//! Under shuttle a task is one more thread whose steps the checker orders, and a [`Notify`] is what
//! Tokio documents for one that a single task waits for: at most one permit, which a call leaves where
//! the task does not wait. The checker's own Tokio (`shuttle-tokio`) would bring a benchmark harness with plotting
//! into every build of the checkers.

#[cfg(not(shuttle))]
pub(crate) use tokio::{runtime::Handle, sync::Notify};

#[cfg(shuttle)]
pub use checked::Handle;
#[cfg(shuttle)]
pub(crate) use checked::Notify;

#[cfg(shuttle)]
mod checked {
    use std::future::{Future, poll_fn};
    use std::sync::{Arc, PoisonError};
    use std::task::{Poll, Waker};

    use shuttle::future::{AbortHandle, spawn};
    use shuttle::sync::{Mutex, MutexGuard};

    /// A runtime, which runs its tasks until it is ended.
    #[derive(Clone, Debug, Default)]
    pub struct Handle(Arc<Mutex<State>>);

    #[derive(Debug, Default)]
    struct State {
        ended: bool,
        tasks: Vec<AbortHandle>,
    }

    impl Handle {
        /// A runtime of its own: under the checker there is none that a thread runs in.
        pub fn current() -> Self {
            Self::default()
        }

        pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
            let mut state = lock(&self.0);
            if state.ended {
                // As a runtime does that has ended: it drops the task.
                drop(state);
                drop(task);
            } else {
                state.tasks.push(spawn(task).abort_handle());
            }
        }

        /// Ends the runtime: each task is dropped where it waits, by the runtime's own thread.
        pub fn end(&self) {
            let mut state = lock(&self.0);
            state.ended = true;
            let tasks = std::mem::take(&mut state.tasks);
            drop(state);
            tasks.iter().for_each(AbortHandle::abort);
        }
    }

    /// A call to the one task that waits for it.
    #[derive(Default)]
    pub(crate) struct Notify(Mutex<Calls>);

    #[derive(Default)]
    struct Calls {
        permit: bool,
        waiting: Option<Waker>,
    }

    impl Notify {
        pub(crate) fn notify_one(&self) {
            let mut calls = lock(&self.0);
            calls.permit = true;
            let waiting = calls.waiting.take();
            drop(calls);
            if let Some(waker) = waiting {
                waker.wake();
            }
        }

        pub(crate) fn notified(&self) -> impl Future<Output = ()> + '_ {
            poll_fn(|context| {
                let mut calls = lock(&self.0);
                if std::mem::take(&mut calls.permit) {
                    calls.waiting = None;
                    return Poll::Ready(());
                }
                calls.waiting = Some(context.waker().clone());
                Poll::Pending
            })
        }
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
