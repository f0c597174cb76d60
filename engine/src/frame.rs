//! Opens the frames that hubs make, for clients inside the process. Never for bytes from outside.

use worldshard_transport::{Event, Limits, MessageKind, Reader, Role};

/// Shows the message of one complete frame as a client would read it.
pub(crate) fn open(frame: &[u8], read: impl FnOnce(MessageKind, &[u8])) {
    let mut bytes = frame.to_vec();
    let limits = Limits {
        message_bytes_max: bytes.len(),
        ..Limits::default()
    };
    let mut reader = Reader::new(Role::Client, limits);
    let step = reader
        .read(&mut bytes)
        .expect("our own frames obey the rules");
    if let Some(Event::Message { kind, payload }) = step.event {
        read(kind, payload);
    }
}
