//! The handler of `SIGBUS`.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_void, siginfo_t};

use super::arena;

/// What the process did with the signal before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Sets the handler. Called once in the life of a process, unless it fails.
pub(super) fn install() -> io::Result<()> {
    let mut before = MaybeUninit::uninit();
    // SAFETY: no new action is given; the old one is written to memory made for it.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), before.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, and so it has written it. Kept before the handler can ask for it.
    let before = BEFORE.get_or_init(|| unsafe { before.assume_init() });
    let mut ours = *before;
    let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_bus_error;
    ours.sa_sigaction = handler as libc::sighandler_t;
    // On the stack for signals where the thread has one; other signals wait as they did before.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: the handler has the form that `SA_SIGINFO` asks for, and does only what a handler may.
    if unsafe { libc::sigaction(libc::SIGBUS, &raw const ours, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the calling thread's own `errno`, to be left as the interrupted code had it.
    let errno = unsafe { *libc::__errno_location() };
    // SAFETY: the system passes a `siginfo_t` that lives as long as the handler runs.
    let code = unsafe { (*info).si_code };
    // A code above zero says that the kernel raised it for an access; only then there is an address.
    // SAFETY: a `SIGBUS` that the kernel raised carries one.
    let ours = code > 0 && arena::break_window_at(unsafe { (*info).si_addr() }.addr());
    if !ours {
        pass_on(signal, info, context);
    }
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = errno };
}

/// Does with a signal that is not ours what the process did before.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let Some(before) = BEFORE.get() else { return };
    match before.sa_sigaction {
        // The kernel, too, ignores only what another process has sent.
        // SAFETY: as in the handler.
        libc::SIG_IGN if unsafe { (*info).si_code } <= 0 => {}
        // SAFETY: `before` came from the system, with the default action put in; the signal waits
        // until the handler returns, and then does what it does by default.
        libc::SIG_DFL | libc::SIG_IGN => unsafe {
            let mut default = *before;
            default.sa_sigaction = libc::SIG_DFL;
            libc::sigaction(signal, &raw const default, ptr::null_mut());
            libc::raise(signal);
        },
        // SAFETY: the process had this function set for the signal with this flag, so it is one of
        // this form, and stays loaded as long as it may be called.
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => unsafe {
            type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
            std::mem::transmute::<libc::sighandler_t, Handler>(handler)(signal, info, context);
        },
        // SAFETY: as above, without the flag.
        handler => unsafe {
            std::mem::transmute::<libc::sighandler_t, extern "C" fn(c_int)>(handler)(signal);
        },
    }
}
