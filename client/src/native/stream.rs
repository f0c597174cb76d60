//! A TCP stream, with TLS around it where asked for: one thread reads, others write. Knows no frames.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(feature = "tls")]
use std::sync::{Mutex, MutexGuard, PoisonError};

pub(super) struct Stream {
    tcp: TcpStream,
    #[cfg(feature = "tls")]
    tls: Option<Mutex<rustls::ClientConnection>>,
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream) -> Self {
        Self {
            tcp,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// TLS whose handshake is still to be done, by reading and writing.
    #[cfg(feature = "tls")]
    pub(super) fn secure(tcp: TcpStream, tls: rustls::ClientConnection) -> Self {
        Self {
            tcp,
            tls: Some(Mutex::new(tls)),
        }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Reads what there is, or waits for it as long as the socket does; 0 at the end.
    pub(super) fn read(&self, out: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return self.read_secure(tls, out);
        }
        (&self.tcp).read(out)
    }

    /// Writes what the kernel takes at once, or within the socket's patience.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let mut tls = lock(tls);
            push(&mut tls, &self.tcp)?;
            let taken = tls.writer().write(bytes)?;
            return match push(&mut tls, &self.tcp) {
                // It is taken; the rest leaves with the next write.
                Err(error) if !would_wait(&error) => Err(error),
                Ok(()) | Err(_) if taken > 0 => Ok(taken),
                Ok(()) | Err(_) => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        (&self.tcp).write(bytes)
    }

    /// Gives the kernel what a write took before.
    pub(super) fn flush(&self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return push(&mut lock(tls), &self.tcp);
        }
        Ok(())
    }

    /// Says that no more is written; what was written still goes out.
    pub(super) fn end(&self) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let mut tls = lock(tls);
            tls.send_close_notify();
            // Nobody waits for it any more.
            let _ = push(&mut tls, &self.tcp);
        }
        // Where the peer was faster there is nothing to end.
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    #[cfg(feature = "tls")]
    fn read_secure(
        &self,
        tls: &Mutex<rustls::ClientConnection>,
        out: &mut [u8],
    ) -> io::Result<usize> {
        let mut sealed = [0; SEALED_BYTES];
        loop {
            {
                let mut tls = lock(tls);
                match tls.reader().read(out) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // The connection broke off without a word of TLS: an end like any other, which is told as lost.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                    done => return done,
                }
                match push(&mut tls, &self.tcp) {
                    Err(error) if !would_wait(&error) => return Err(error),
                    Ok(()) | Err(_) => {}
                }
            }
            let read = (&self.tcp).read(&mut sealed)?;
            let mut tls = lock(tls);
            if read == 0 {
                // Tells TLS of the end, so that its reader knows whether it was one.
                tls.read_tls(&mut io::empty())?;
                tls.process_new_packets().map_err(io::Error::other)?;
                if tls.is_handshaking() {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                continue;
            }
            let mut rest = &sealed[..read];
            while !rest.is_empty() {
                tls.read_tls(&mut rest)?;
                tls.process_new_packets().map_err(|error| {
                    // The peer is told why, as far as it still listens.
                    let _ = push(&mut tls, &self.tcp);
                    io::Error::other(error)
                })?;
            }
        }
    }
}

#[cfg(feature = "tls")]
fn lock(tls: &Mutex<rustls::ClientConnection>) -> MutexGuard<'_, rustls::ClientConnection> {
    tls.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives the kernel what TLS has ready.
#[cfg(feature = "tls")]
fn push(tls: &mut rustls::ClientConnection, mut tcp: &TcpStream) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(&mut tcp)?;
    }
    Ok(())
}

pub(super) fn would_wait(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Bytes of TLS read at once: a whole record.
#[cfg(feature = "tls")]
const SEALED_BYTES: usize = 17 * 1024;
