//! Sends by one submission, as the bytes say how many, how long, to whom: what the kernel says it took, it took, of the right
//! bytes. For the sanitizers rather than for the bytes: the module under test shares memory with the kernel.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use worldshard::runtime::submission::{Copying, Ring, Sent};

/// Each byte is one send: to which of a few sockets, some of whose other ends are gone, and how long. False where there is no ring.
pub fn submission(bytes: &[u8]) -> bool {
    let Ok(mut ring) = Ring::new() else {
        return false;
    };
    let pairs: Vec<_> = (0..SOCKETS)
        .map(|_| UnixStream::pair().expect("there are descriptors for a few"))
        .collect();
    let (near, mut far): (Vec<_>, Vec<_>) = pairs
        .into_iter()
        .map(|(near, far)| (near, Some(far)))
        .unzip();
    for (at, copying) in bytes
        .chunks(BATCH)
        .zip([Copying::Now, Copying::Never].into_iter().cycle())
    {
        if at[0] == 0xff {
            far[usize::from(at.len() as u16) % SOCKETS] = None;
        }
        let sends: Vec<(usize, Vec<u8>)> = at
            .iter()
            .enumerate()
            .map(|(place, &byte)| {
                let length = usize::from(byte >> 3) * usize::from(byte >> 3) * 40;
                (
                    usize::from(byte) % SOCKETS,
                    vec![place as u8 ^ byte; length],
                )
            })
            .collect();
        let mut sent: Vec<Sent> = Vec::new();
        let wanted = sends.iter().enumerate();
        let wanted = wanted.map(|(who, (to, bytes))| (who, near[*to].as_fd(), bytes.as_slice()));
        ring.send(copying, wanted, &mut sent)
            .expect("the ring goes on");
        assert_eq!(sent.len(), sends.len(), "each send has one end");
        let mut ends = vec![None; sends.len()];
        for (who, end) in sent {
            assert!(ends[who].replace(end).is_none(), "{who} ended twice");
        }
        for (socket, far) in far.iter_mut().enumerate() {
            let of = |who: usize| ends[who].expect("all ended");
            let mut expected = Vec::new();
            for (who, (to, bytes)) in sends.iter().enumerate() {
                if *to == socket {
                    expected.extend_from_slice(&bytes[..of(who).unwrap_or(0)]);
                }
            }
            match far {
                Some(far) => {
                    let mut got = vec![0; expected.len()];
                    far.read_exact(&mut got).expect("what was taken arrives");
                    assert!(got == expected, "other bytes than were sent");
                }
                None => assert!(expected.is_empty(), "taken for nobody"),
            }
        }
    }
    true
}

const SOCKETS: usize = 7;

/// Sends of one submission, at most.
const BATCH: usize = 97;
