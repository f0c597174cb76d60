//! Any bytes as a message of either lane, and as a delta from a server that lies: refused, or read with every promise
//! kept.
//!
//! Each target says whether the bytes were accepted, and panics when a promise is broken.

use worldshard_protocol::app::{self, read_reject};
use worldshard_protocol::delta::DELTA_FULL;
use worldshard_protocol::{
    APP_SVC, ClientMessage, DeltaHead, ExtEnvelope, HotHeader, Record, View, delta_bytes,
    read_delta, read_overview, write_delta,
};

/// A binary message: refused, or read and then written the same. What is the application's own is taken as it is.
pub fn hot_lane(bytes: &[u8]) -> bool {
    let Ok((header, payload)) = HotHeader::parse(bytes) else {
        return false;
    };
    let mut again = Vec::new();
    header.write(&mut again);
    assert_eq!(again[..], bytes[..bytes.len() - payload.len()]);
    if header.svc == APP_SVC {
        return match header.opcode {
            app::OPCODE_APP_REJECT => rejection(payload),
            opcode => opcode < app::OPCODE_APP_REJECT,
        };
    }
    let Ok(message) = ClientMessage::parse(&header, payload) else {
        return false;
    };
    again.clear();
    message.encode(header.seq, header.delta_ack, &mut again);
    assert_eq!(again, bytes, "{message:?}");
    true
}

fn rejection(payload: &[u8]) -> bool {
    let Ok((code, msg)) = read_reject(payload) else {
        return false;
    };
    assert_eq!([code, "\0", msg].concat().as_bytes(), payload);
    true
}

/// A text message: refused with a bounded detail, or read and then written with the same meaning.
pub fn ext_lane(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    match ExtEnvelope::parse(text) {
        Ok(envelope) => {
            let again = envelope.to_text();
            let parsed = ExtEnvelope::parse(&again).expect("what we write we read");
            assert_eq!(parsed.to_text(), again);
            true
        }
        Err(error) => {
            assert!(error.detail.len() <= 1024, "{} bytes", error.detail.len());
            ExtEnvelope::parse(&error.to_envelope(None)).expect("error envelopes are envelopes");
            false
        }
    }
}

/// Bytes from a server that lies: to an overview's reader, a view that begins, and one that follows.
///
/// Accepted means by the view that follows.
pub fn delta_reader(bytes: &[u8]) -> bool {
    let _ = read_overview(bytes);
    if let Ok(delta) = read_delta(bytes) {
        let lists = (delta.entered.len(), delta.changed.len(), delta.left.len());
        let (extras, blob) = (delta.extras.len(), delta.blob.len());
        let size = delta_bytes(lists.0, lists.1, lists.2, extras, blob);
        assert_eq!(size, bytes.len());
    }
    applied_whole_or_not(View::new(), bytes);
    applied_whole_or_not(known_view(), bytes)
}

fn applied_whole_or_not(mut view: View, bytes: &[u8]) -> bool {
    let before = view.clone();
    let Ok(applied) = view.apply(bytes) else {
        assert_eq!(view, before, "a refused delta changed the view");
        return false;
    };
    let replaced = applied.entered == view.len() && applied.changed + applied.left == 0;
    let followed = before.len() + applied.entered == view.len() + applied.left;
    assert!(replaced || followed, "{applied:?}");
    for (id, seen) in view.iter() {
        assert!(id.0 == seen.record.id && seen.record.is_valid());
    }
    true
}

/// Entities 1, 2 and 2^53 at [`KNOWN_TICK`]: `golden/delta_2_change.bin` follows it.
fn known_view() -> View {
    let record = |id| {
        Record {
            id,
            ..Record::default()
        }
        .to_bytes()
    };
    let head = DeltaHead {
        tick: KNOWN_TICK,
        flags: DELTA_FULL,
        ..DeltaHead::default()
    };
    let mut bytes = Vec::new();
    let entered = [1, 2, 1 << 53].map(record);
    write_delta(&head, &entered, [], &[], &[], &[], &mut bytes);
    let mut view = View::new();
    view.apply(&bytes).expect("the first delta is full");
    view
}

/// The tick of the view that [`delta_reader`] offers: a corpus that is to be applied follows it.
pub const KNOWN_TICK: u64 = 100;
