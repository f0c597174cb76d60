//! Asks the kernel for a tiny io_uring and lets go of it: the only sure way to learn whether it is refused.
#![expect(
    unsafe_code,
    reason = "io_uring_setup is unsafe for the sake of one flag that is not used here"
)]

use std::io;

use rustix::io_uring::{io_uring_params, io_uring_setup};

/// Makes a ring of two entries and closes it, on a thread of its own: when a ring ends, the kernel interrupts system
/// calls of the thread that made it.
///
/// # Errors
/// What the kernel answered: EPERM from a seccomp filter or the sysctl, ENOSYS from a kernel without, ENOMEM from the
/// limit on locked memory.
pub(crate) fn try_ring() -> io::Result<()> {
    let thread = std::thread::Builder::new().name("probe".to_owned());
    let asked = thread.spawn(ask)?.join();
    asked.unwrap_or_else(|_| Err(io::Error::other("the question failed")))
}

fn ask() -> io::Result<()> {
    let mut params = io_uring_params::default();
    // SAFETY: the one precondition concerns `wq_fd` under `IORING_SETUP_ATTACH_WQ`; no flag is set. The kernel writes
    // into `params`, which lives on this frame; the ring it returns is an owned descriptor, closed here.
    let ring = unsafe { io_uring_setup(2, &mut params) };
    ring.map(drop).map_err(io::Error::from)
}
