//! What clients on lanes say to the application, and to `sys`: messages, requests, pings. Systems get each once.
//!
//! Never answers a request: systems do, by the tokens of `requests`.

use std::borrow::Cow;

use worldshard_protocol::app::{
    APP_SVC_NAME, KIND_GAP, KIND_MESSAGE, KIND_PING, KIND_PONG, KIND_REQUEST, OPCODE_APP_MESSAGE,
    OPCODE_APP_REQUEST, PING_BYTES_MAX, SYS_SVC_NAME,
};
use worldshard_protocol::ext::EXT_FLAG_ACK;
use worldshard_protocol::{ErrorCode, ExtEnvelope, HotHeader, SessionId, WireError};
use worldshard_transport::{MessageKind, data_frame};

use crate::hub::Hub;
use crate::hub::blocks::Blocks;
use crate::hub::desk::Desk;
use crate::hub::requests::{ext_ack, hot_ack};
use crate::message::{Payload, Text};

/// On which lane a client said something: there it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    Ext,
    Hot,
}

/// Messages whose clients want to know that systems got them.
#[derive(Default)]
pub(crate) struct Acks {
    due: Vec<(SessionId, Lane, u32)>,
}

impl Hub {
    /// Takes a well-formed text on lanes.
    pub(crate) fn take_ext(
        &mut self,
        session: SessionId,
        envelope: &ExtEnvelope<'_>,
    ) -> Result<(), WireError> {
        let payload = |blocks: &mut Blocks| {
            let data = envelope.data.as_ref().map_or("null", |data| data.get());
            Payload::Text(Text::of_json(blocks.copy(data.as_bytes())))
        };
        let screened_out = match (&*envelope.svc, &*envelope.kind) {
            (SYS_SVC_NAME, _) => false,
            (APP_SVC_NAME, KIND_REQUEST) => {
                self.is_request_screened_out(session, Lane::Ext, envelope.seq, payload)
            }
            _ => self.is_screened_out(session, payload),
        };
        if screened_out {
            return Ok(());
        }
        match (&*envelope.svc, &*envelope.kind) {
            (APP_SVC_NAME, KIND_MESSAGE) => {
                let asks = envelope.flags & EXT_FLAG_ACK != 0;
                if asks && envelope.seq.is_none() {
                    return Err(bad("seq: missing, and an acknowledgement is asked for"));
                }
                let room = envelope.room.as_deref().map(str::to_owned);
                self.take_message(session, Lane::Ext, envelope.seq, asks, room, payload);
                Ok(())
            }
            (svc, _) if self.has_service(svc) => {
                self.keep_ext(session, envelope);
                Ok(())
            }
            (APP_SVC_NAME, KIND_REQUEST) => {
                self.desk.ask(session, Lane::Ext, envelope.seq, payload)
            }
            (SYS_SVC_NAME, KIND_PING) => self.pong(session, envelope),
            (svc @ (APP_SVC_NAME | SYS_SVC_NAME), kind) => {
                self.desk.stats.services_unknown += 1;
                Err(bad(format!("type: the service {svc} takes no {kind:?}")))
            }
            (svc, _) => {
                self.desk.stats.services_unknown += 1;
                Err(bad(format!("svc: no service {svc:?} on this path")))
            }
        }
    }

    /// Takes a binary message for the application.
    pub(crate) fn take_app(
        &mut self,
        session: SessionId,
        header: &HotHeader,
        payload: &[u8],
    ) -> Result<(), WireError> {
        if header.opcode == OPCODE_APP_REQUEST {
            self.desk.may_say_outside_rooms(session)?;
        }
        let payload = |blocks: &mut Blocks| Payload::Binary(blocks.copy(payload));
        let screened_out = match header.opcode {
            OPCODE_APP_REQUEST => {
                self.is_request_screened_out(session, Lane::Hot, header.seq, payload)
            }
            _ => self.is_screened_out(session, payload),
        };
        if screened_out {
            return Ok(());
        }
        match header.opcode {
            OPCODE_APP_MESSAGE => {
                self.take_message(session, Lane::Hot, header.seq, header.ack, None, payload);
                Ok(())
            }
            OPCODE_APP_REQUEST => self.desk.ask(session, Lane::Hot, header.seq, payload),
            opcode => {
                self.desk.stats.services_unknown += 1;
                let detail = format!("opcode: the application's service takes no {opcode}");
                Err(bad(detail))
            }
        }
    }

    /// Gives a message to a room or to systems, unless its number says that they have had it.
    fn take_message(
        &mut self,
        session: SessionId,
        lane: Lane,
        seq: Option<u32>,
        asks: bool,
        room: Option<String>,
        payload: impl FnOnce(&mut Blocks) -> Payload,
    ) {
        if let Some(seq) = seq {
            if asks {
                self.desk.acks.due.push((session, lane, seq));
            }
            let Some(standing) = self.desk.standing(session) else {
                return;
            };
            let last = standing.heard;
            if last.is_some_and(|last| seq <= last) {
                self.desk.stats.messages_repeated += 1;
                return;
            }
            standing.heard = Some(seq);
            // Any number may be the first.
            let expected = last.map_or(seq, |last| last + 1);
            if seq != expected {
                self.desk.tell_gap(session, expected, seq);
            }
        }
        let payload = payload(&mut self.desk.blocks);
        self.hear(session, room, payload, seq);
    }

    fn pong(&mut self, session: SessionId, ping: &ExtEnvelope<'_>) -> Result<(), WireError> {
        let bytes = ping.data.as_ref().map_or(0, |data| data.get().len());
        if bytes > PING_BYTES_MAX {
            let detail = format!("data: {bytes} bytes; at most {PING_BYTES_MAX}");
            return Err(WireError::new(ErrorCode::PayloadTooLarge, detail));
        }
        let mut pong = ExtEnvelope::new(SYS_SVC_NAME, KIND_PONG);
        pong.seq = ping.seq;
        pong.data.clone_from(&ping.data);
        let frame = data_frame(MessageKind::Text, pong.to_text().as_bytes());
        self.desk.push_reliable(session, frame);
        Ok(())
    }
}

impl Desk {
    /// Whether systems have something to see beside events.
    pub(crate) fn has_news(&self) -> bool {
        self.requests.are_heard() || self.unsent.is_new()
    }

    /// What systems see beside events is what there is now.
    pub(crate) fn begin_turn(&mut self) {
        self.requests.begin_turn();
        self.unsent.show();
    }

    /// Says what systems answered, and what they have had.
    pub(crate) fn end_turn(&mut self) {
        self.unsent.hide();
        self.requests.end_turn();
        self.take_answers();
        self.say_acks();
    }

    /// Says that systems have had what was said with a wish to know it.
    pub(crate) fn say_acks(&mut self) {
        let mut due = std::mem::take(&mut self.acks.due);
        for (session, lane, seq) in due.drain(..) {
            let frame = match lane {
                Lane::Ext => ext_ack(seq),
                Lane::Hot => hot_ack(seq),
            };
            self.push_reliable(session, frame);
        }
        self.acks.due = due;
    }

    /// Forgets what the connection of a session waits to hear: it is gone.
    pub(crate) fn forget_answers(&mut self, session: SessionId) {
        self.requests.forget(session);
        self.acks.due.retain(|(of, ..)| *of != session);
    }

    fn tell_gap(&mut self, session: SessionId, expected: u32, got: u32) {
        self.stats.messages_missing += u64::from(got - expected);
        let mut gap = ExtEnvelope::new(SYS_SVC_NAME, KIND_GAP);
        let data = format!(r#"{{"expected":{expected},"got":{got}}}"#);
        let data = serde_json::value::RawValue::from_string(data);
        gap.data = Some(Cow::Owned(data.expect("numbers are JSON")));
        let frame = data_frame(MessageKind::Text, gap.to_text().as_bytes());
        self.push_reliable(session, frame);
    }
}

fn bad(detail: impl Into<Cow<'static, str>>) -> WireError {
    WireError::new(ErrorCode::BadRequest, detail)
}
