//! Asks the kernel for a tiny io_uring, makes each of its calls once and lets go of it: the only sure way to learn
//! whether one is refused.
#![expect(
    unsafe_code,
    reason = "the calls of io_uring are unsafe for the sake of flags and memory that are not used here"
)]

use std::io;
use std::ptr::null;

use rustix::io::Errno;
use rustix::io_uring::{
    IoringEnterFlags, IoringRegisterOp, io_uring_enter, io_uring_params, io_uring_register,
    io_uring_setup,
};

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
    let ring = unsafe { io_uring_setup(2, &mut params) }?;
    // SAFETY: nothing is submitted and nothing awaited: the kernel looks at no memory of ours.
    unsafe { io_uring_enter(&ring, 0, 0, IoringEnterFlags::empty()) }?;
    // SAFETY: there is no argument to be read.
    match unsafe { io_uring_register(&ring, IoringRegisterOp::UnregisterBuffers, null(), 0) } {
        // The call is allowed: there were no buffers to let go of.
        Ok(_) | Err(Errno::NXIO) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
