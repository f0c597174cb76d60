//! An io_uring for sends: many by one system call. Does nothing else, and knows nothing of what the bytes mean.
//!
//! For the driver over glommio, and for the floor that measures it; nobody else's interface.
#![expect(
    unsafe_code,
    reason = "the kernel reads and writes memory that it shares with the program"
)]

use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::io_uring::{
    IORING_OFF_SQ_RING, IORING_OFF_SQES, IoringCqeFlags, IoringEnterFlags, IoringFeatureFlags,
    IoringOp, IoringSetupFlags, addr_or_splice_off_in_union, io_uring_cqe, io_uring_enter,
    io_uring_params, io_uring_ptr, io_uring_setup, io_uring_sqe, io_uring_user_data, len_union,
    op_flags_union,
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::net::SendFlags;

/// How the kernel is given what a socket is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Copying {
    /// It copies the bytes before it answers.
    Now,
    /// It sends them from where they are, and says when it is done with them.
    Never,
}

/// What became of one send: whose it was, and how many bytes the kernel took.
pub type Sent = (usize, Result<usize, Errno>);

/// A ring of this thread. Between two calls nothing is in it.
pub struct Ring {
    descriptor: OwnedFd,
    /// Heads, tails and completions, shared with the kernel.
    queues: Mapping,
    /// What is submitted.
    entries: Mapping,
    params: io_uring_params,
    /// Written to the shared tail at a submission.
    tail: u32,
    /// Entries that were not taken may be in it still: they must never be.
    failed: bool,
}

impl Ring {
    /// # Errors
    /// The kernel gives no ring, or is too old for this one.
    pub fn new() -> io::Result<Ring> {
        let mut params = io_uring_params::default();
        // A refused send must not hold up those behind it, and nothing is to interrupt this thread.
        params.flags = IoringSetupFlags::SUBMIT_ALL
            | IoringSetupFlags::SINGLE_ISSUER
            | IoringSetupFlags::DEFER_TASKRUN
            | IoringSetupFlags::CQSIZE;
        // With zero copy each send completes twice.
        params.cq_entries = BATCH_MAX * 2;
        // SAFETY: no flag refers to another descriptor, and `params` lives through the call.
        let descriptor = unsafe { io_uring_setup(BATCH_MAX, &mut params) }?;
        if !params.features.contains(IoringFeatureFlags::SINGLE_MMAP) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let of_entries =
            params.sq_off.array as usize + params.sq_entries as usize * size_of::<u32>();
        let of_completions =
            params.cq_off.cqes as usize + params.cq_entries as usize * size_of::<io_uring_cqe>();
        let queues = Mapping::new(
            &descriptor,
            of_entries.max(of_completions),
            IORING_OFF_SQ_RING,
        )?;
        let bytes = params.sq_entries as usize * size_of::<io_uring_sqe>();
        let entries = Mapping::new(&descriptor, bytes, IORING_OFF_SQES)?;
        let ring = Ring {
            descriptor,
            queues,
            entries,
            params,
            tail: 0,
            failed: false,
        };
        for place in 0..params.sq_entries {
            ring.word(params.sq_off.array + place * 4)
                .store(place, Ordering::Relaxed);
        }
        Ok(ring)
    }

    /// Sends to each of `sockets` its bytes, as far as the kernel takes them now. Returns when it is done with the bytes;
    /// what became of each send is in `sent`.
    ///
    /// # Errors
    /// The ring failed, which never should: sends whose fate is not told may have happened.
    pub fn send<'a>(
        &mut self,
        copying: Copying,
        sockets: impl Iterator<Item = (usize, BorrowedFd<'a>, &'a [u8])>,
        sent: &mut Vec<Sent>,
    ) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other("the ring failed before"));
        }
        // Entries of a call that was left by a panic point to what may be gone: they are written over.
        self.tail = self.word(self.params.sq_off.tail).load(Ordering::Relaxed);
        let mut queued = 0;
        for (who, socket, bytes) in sockets {
            self.push(who, socket, bytes, copying);
            queued += 1;
            if queued == BATCH_MAX {
                self.complete(queued, copying, sent)?;
                queued = 0;
            }
        }
        match queued {
            0 => Ok(()),
            _ => self.complete(queued, copying, sent),
        }
    }

    /// Writes an entry. The caller sees to it that everything completes before `bytes` or the socket end.
    fn push(&mut self, who: usize, socket: BorrowedFd<'_>, bytes: &[u8], copying: Copying) {
        let entry = io_uring_sqe {
            opcode: match copying {
                Copying::Now => IoringOp::Send,
                Copying::Never => IoringOp::SendZc,
            },
            fd: socket.as_raw_fd(),
            addr_or_splice_off_in: addr_or_splice_off_in_union {
                addr: io_uring_ptr::new(bytes.as_ptr().cast_mut().cast()),
            },
            len: len_union {
                // Of more than fits, the beginning.
                len: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            },
            op_flags: op_flags_union {
                send_flags: SendFlags::DONTWAIT | SendFlags::NOSIGNAL,
            },
            user_data: io_uring_user_data::from_u64(who as u64),
            ..io_uring_sqe::default()
        };
        let place = self.tail & (self.params.sq_entries - 1);
        // SAFETY: there are `sq_entries` places, all within the mapping; the kernel reads none before the tail is moved
        // beyond it, and all that were before it are completed, since no batch is longer than the ring.
        unsafe {
            self.entries
                .at::<io_uring_sqe>(0)
                .add(place as usize)
                .write(entry)
        };
        self.tail = self.tail.wrapping_add(1);
    }

    /// Submits what was written, and waits until the kernel is done with all of it.
    fn complete(&mut self, queued: u32, copying: Copying, sent: &mut Vec<Sent>) -> io::Result<()> {
        self.word(self.params.sq_off.tail)
            .store(self.tail, Ordering::Release);
        let mut open = queued;
        while open > 0 {
            let taken = self.word(self.params.sq_off.head).load(Ordering::Acquire);
            let left = self.tail.wrapping_sub(taken);
            // SAFETY: each entry points to bytes and a socket that are borrowed until `send` returns. A send that copies
            // and may not wait is over when the call that submits it returns, whatever else that call says; for one
            // that does not copy the loop waits, and where it cannot, nothing goes on.
            match unsafe {
                io_uring_enter(
                    &self.descriptor,
                    left,
                    open.min(left.max(1)),
                    IoringEnterFlags::GETEVENTS,
                )
            } {
                Ok(_) | Err(Errno::INTR | Errno::AGAIN | Errno::BUSY) => {}
                Err(_) if copying == Copying::Never => std::process::abort(),
                Err(error) => {
                    self.failed = true;
                    return Err(error.into());
                }
            }
            open -= self.reap(sent);
        }
        Ok(())
    }

    /// Takes what has completed; says of how many sends nothing more comes.
    fn reap(&mut self, sent: &mut Vec<Sent>) -> u32 {
        let offsets = self.params.cq_off;
        let head_word = self.word(offsets.head);
        let mut head = head_word.load(Ordering::Relaxed);
        let tail = self.word(offsets.tail).load(Ordering::Acquire);
        let mut done = 0;
        while head != tail {
            let place = (head & (self.params.cq_entries - 1)) as usize;
            // SAFETY: completions between head and tail were written by the kernel, which leaves them alone until the
            // head is moved; all places lie within the mapping. Not all of the type is there: its end is optional.
            let (who, result, flags) = unsafe {
                let completion = self.queues.at::<io_uring_cqe>(offsets.cqes).add(place);
                (
                    (*completion).user_data.u64_(),
                    (*completion).res,
                    (*completion).flags,
                )
            };
            if !flags.contains(IoringCqeFlags::NOTIF) {
                let taken = usize::try_from(result);
                sent.push((
                    who as usize,
                    taken.map_err(|_| Errno::from_raw_os_error(-result)),
                ));
            }
            done += u32::from(!flags.contains(IoringCqeFlags::MORE));
            head = head.wrapping_add(1);
        }
        head_word.store(head, Ordering::Release);
        done
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: the kernel names offsets of aligned words within the mapping, and both sides treat them as atomic.
        unsafe { &*self.queues.at::<AtomicU32>(offset) }
    }
}

/// Memory shared with the kernel.
struct Mapping {
    start: NonNull<c_void>,
    bytes: usize,
}

impl Mapping {
    fn new(descriptor: &OwnedFd, bytes: usize, offset: u64) -> io::Result<Mapping> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: the kernel chooses the place, so nothing that exists is mapped over.
        let start = unsafe { mmap(null_mut(), bytes, protection, flags, descriptor, offset) }?;
        let start = NonNull::new(start).ok_or(Errno::NOMEM)?;
        Ok(Mapping { start, bytes })
    }

    /// What lies so many bytes behind the start; the caller sees to it that it does.
    fn at<T>(&self, offset: u32) -> *mut T {
        self.start
            .as_ptr()
            .wrapping_byte_add(offset as usize)
            .cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped with this length, and nothing refers to it any more: references do not outlive the ring.
        // A failure leaves it mapped.
        let _ = unsafe { munmap(self.start.as_ptr(), self.bytes) };
    }
}

/// Sends of one submission.
const BATCH_MAX: u32 = 1024;
