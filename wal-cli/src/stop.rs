//! [`Stop`]: SIGINT and SIGTERM end the input of `append`, and not its work.

use std::io::{self, Read};

/// What a reader of the input fails with once a signal has asked for the end: what was read before is
/// whole, and there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a signal has ended the input")
    }
}

impl std::error::Error for Stopped {}

impl Stopped {
    /// Whether this is what made reading end.
    pub(crate) fn is_source_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>)
    }
}

/// Listens for SIGINT and SIGTERM from its making on. The first one ends the [`input`](Self::input); a
/// second one, of either kind, ends the process at once, as it would have without this.
#[derive(Debug)]
pub(crate) struct Stop(os::Stop);

impl Stop {
    pub(crate) fn listen() -> io::Result<Self> {
        os::Stop::listen().map(Self)
    }

    /// Stdin, which fails with [`Stopped`] from the first signal on. No read is under way then: so
    /// nothing is taken from stdin that this does not give.
    pub(crate) fn input(&self) -> io::Result<impl Read + Send + use<>> {
        self.0.input()
    }

    /// Ends the process as the signal would have, so that a shell script ends with it; returns where
    /// there was none.
    pub(crate) fn obey(&self) -> io::Result<()> {
        self.0.obey()
    }
}

/// From now on a file that would become larger than the process may make it (`ulimit -f`) is an error of
/// the write, and not the end of the process.
pub(crate) fn survive_file_size_limit() {
    // Where it cannot be had, the signal ends the process as it always did.
    os::catch_file_size_signal().ok();
}

#[cfg(unix)]
mod os {
    use std::fs::File;
    use std::io::{self, Read};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::io::Errno;
    use signal_hook::consts::{SIGINT, SIGTERM, SIGXFSZ};
    use signal_hook::low_level::{emulate_default_handler, pipe};
    use signal_hook::{SigId, flag};

    use super::Stopped;

    #[derive(Debug)]
    pub(super) struct Stop {
        /// Readable from the first signal on.
        woken: UnixStream,
        /// Its number; 0 before.
        signal: Arc<AtomicUsize>,
    }

    impl Stop {
        pub(super) fn listen() -> io::Result<Self> {
            let (signal, stopping) = (Arc::default(), Arc::new(AtomicBool::new(false)));
            let (woken, wake) = UnixStream::pair()?;
            for (number, value) in [(SIGINT, 2), (SIGTERM, 15)] {
                // In this order they are run: the first signal finds the flag not set yet.
                flag::register_conditional_default(number, Arc::clone(&stopping))?;
                flag::register(number, Arc::clone(&stopping))?;
                flag::register_usize(number, Arc::clone(&signal), value)?;
                pipe::register(number, wake.try_clone()?)?;
            }
            Ok(Self { woken, signal })
        }

        pub(super) fn input(&self) -> io::Result<Input> {
            // Past the standard library's buffer, in which bytes could wait that `poll` does not see.
            let stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
            Ok(Input { stdin, woken: self.woken.try_clone()? })
        }

        pub(super) fn obey(&self) -> io::Result<()> {
            match self.signal.load(Ordering::Relaxed) {
                2 => emulate_default_handler(SIGINT),
                15 => emulate_default_handler(SIGTERM),
                _ => Ok(()),
            }
        }
    }

    pub(super) fn catch_file_size_signal() -> io::Result<SigId> {
        flag::register(SIGXFSZ, Arc::default())
    }

    #[derive(Debug)]
    pub(super) struct Input {
        stdin: File,
        woken: UnixStream,
    }

    impl Read for Input {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                let mut either = [
                    PollFd::new(&self.woken, PollFlags::IN),
                    PollFd::new(&self.stdin, PollFlags::IN),
                ];
                match poll(&mut either, None) {
                    Err(Errno::INTR) => continue,
                    polled => polled?,
                };
                if !either[0].revents().is_empty() {
                    return Err(io::Error::other(Stopped));
                }
                // Also where its other end is closed, or it cannot be read: the read says so.
                if !either[1].revents().is_empty() {
                    return self.stdin.read(buffer);
                }
            }
        }
    }
}

#[cfg(not(unix))]
mod os {
    use std::io;

    /// Signals do here what they always do.
    #[derive(Debug)]
    pub(super) struct Stop;

    impl Stop {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) fn input(&self) -> io::Result<io::Stdin> {
            Ok(io::stdin())
        }

        pub(super) fn obey(&self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn catch_file_size_signal() -> io::Result<()> {
        Ok(())
    }
}
