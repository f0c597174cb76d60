//! The system calls on a connected socket, all of them non-blocking. Knows nothing of what the bytes mean.

use std::io::{self, IoSlice};
use std::net::{IpAddr, Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use socket2::SockRef;

/// Gives the kernel what it takes of `slices`; `WouldBlock` when it takes nothing now.
pub(crate) fn send(socket: &dyn AsFd, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    if let [bytes] = slices {
        // The kernel has no list to look at.
        return retry(|| rustix::net::send(socket.as_fd(), bytes, flags));
    }
    retry(|| {
        rustix::net::sendmsg(
            socket.as_fd(),
            slices,
            &mut SendAncillaryBuffer::default(),
            flags,
        )
    })
}

/// Takes what the kernel has, up to the length of `buffer`; 0 at the end, `WouldBlock` when there is nothing now.
pub(crate) fn receive(socket: &dyn AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    retry(|| {
        let (taken, _) = rustix::net::recv(socket.as_fd(), &mut *buffer, RecvFlags::DONTWAIT)?;
        Ok(taken)
    })
}

/// Says that no more is sent; the peer reads to the end.
pub(crate) fn end_output(socket: &dyn AsFd) {
    // It fails only when the peer is gone, which the next read tells.
    let _ = SockRef::from(&socket.as_fd()).shutdown(Shutdown::Write);
}

/// Makes the close of the last descriptor a reset: nothing lingers in the kernel.
pub(crate) fn reset_on_close(socket: &dyn AsFd) {
    // It fails only when the peer is gone already.
    let _ = SockRef::from(&socket.as_fd()).set_linger(Some(Duration::ZERO));
}

/// The address of who is at the other end; none when the system does not say.
pub(crate) fn peer(socket: &dyn AsFd) -> Option<IpAddr> {
    let address = SockRef::from(&socket.as_fd()).peer_addr().ok()?;
    Some(address.as_socket()?.ip().to_canonical())
}

/// A second descriptor of the same connection, to hand over.
pub(crate) fn duplicate(socket: &dyn AsFd) -> io::Result<OwnedFd> {
    socket.as_fd().try_clone_to_owned()
}

/// Whether the system has nothing left to accept with; it may have later.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    Errno::from_io_error(error).is_some_and(|errno| exhausted.contains(&errno))
}

/// Has the system hold so many descriptors without its table growing. It grows by doubling, and in a process of several
/// threads whoever makes it waits for all processors meanwhile: ten milliseconds in the midst of an accept.
pub(crate) fn make_room_for_descriptors(any: &dyn AsFd, count: u32) {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let count = limit.map_or(u64::from(count), |limit| limit.min(u64::from(count)));
    // The table stays as it is after the one that made it grow. Where it does not grow now it does later.
    if let Some(last) = i32::try_from(count)
        .ok()
        .and_then(|count| count.checked_sub(1))
    {
        drop(rustix::io::fcntl_dupfd_cloexec(any.as_fd(), last));
    }
}

/// Accepts a connection that blocks nobody and whose small messages leave at once; `WouldBlock` when nobody waits.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    use rustix::net::SocketFlags;
    // One call: the option is the listener's, and inherited.
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(rustix::net::accept_with(listener, flags)?.into())
}

/// Accepts a connection that blocks nobody and whose small messages leave at once; `WouldBlock` when nobody waits.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept()?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Options of a connection that gets the world's state: little of it waits in the kernel, where it would age.
pub(crate) fn prepare_for_state(socket: &dyn AsFd) {
    let socket = socket.as_fd();
    let socket = SockRef::from(&socket);
    // Each is a matter of latency: a system that lacks one still serves.
    let _ = socket.set_send_buffer_size(STATE_SEND_BUFFER_BYTES);
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let _ = socket.set_tcp_notsent_lowat(STATE_UNSENT_BYTES_MAX);
}

fn retry(mut call: impl FnMut() -> Result<usize, Errno>) -> io::Result<usize> {
    loop {
        match call() {
            Ok(bytes) => return Ok(bytes),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the kernel holds for one client of a world, sent or not.
const STATE_SEND_BUFFER_BYTES: usize = 64 * 1024;

/// Of those, what is not yet on its way; beyond it a write blocks, so newer state replaces older before it leaves.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STATE_UNSENT_BYTES_MAX: u32 = 16 * 1024;
