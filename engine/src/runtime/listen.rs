//! Binds the listening socket by hand, for a backlog that survives a rush. Never accepts: that is `acceptor`.

use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::error::Error;
use crate::identity::Auth;

/// A listening socket that does not block, at the first address of `host:port`. Of a connection that it accepts, the
/// kernel lets sent bytes go unacknowledged for no longer than `patience`.
///
/// # Errors
/// Names the address and what the system said.
pub(crate) fn listen(address: &str, patience: Duration) -> Result<TcpListener, Error> {
    listen_as(address, patience, format!("listening on {address}"))
}

/// A socket for operators, as [`listen`] makes one for clients.
///
/// # Errors
/// Names the address and what the system said.
pub(crate) fn for_operators(address: &str) -> Result<TcpListener, Error> {
    let what = format!("the listener of operators at {address}");
    listen_as(address, OPERATORS_PATIENCE, what)
}

fn listen_as(address: &str, patience: Duration, what: String) -> Result<TcpListener, Error> {
    let refuse = |source| Error::Io { what, source };
    let first = address.to_socket_addrs().and_then(|mut found| {
        let none = || std::io::ErrorKind::AddrNotAvailable.into();
        found.next().ok_or_else(none)
    });
    first
        .and_then(|first| bind(first, patience))
        .map_err(refuse)
}

/// Lets nobody listen for other machines who has not said whom to let in.
///
/// # Errors
/// Names the ways out.
pub(crate) fn check_reach(listener: &TcpListener, auth: Option<&Auth>) -> Result<(), Error> {
    let address = listener.local_addr().map_err(|source| Error::Io {
        what: "reading the address listened on".to_owned(),
        source,
    })?;
    if auth.is_some() || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(Error::Option {
        name: "auth",
        detail: format!(
            "other machines may reach {address}, and nothing says who is let in: say secret or token to have clients \
             prove who they are, none to let in everybody, or listen on 127.0.0.1"
        ),
    })
}

fn bind(address: SocketAddr, patience: Duration) -> std::io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the last connections of the process before; it does not let two processes listen.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit both where they are made by one call.
    socket.set_tcp_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // A second line behind our own deadline: without it that one still holds.
    let _ = socket.set_tcp_user_timeout(Some(patience));
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = patience;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// How long an answer to an operator may go unacknowledged.
const OPERATORS_PATIENCE: Duration = Duration::from_secs(10);

/// Connections that wait to be accepted. Beyond: the kernel drops the attempt, and the client retries after a second.
const BACKLOG: i32 = 4096;
