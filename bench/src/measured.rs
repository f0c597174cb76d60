//! One client on lanes whose messages come back, under a policy or none: a socket's bytes in, frames out, no socket.

use std::time::Duration;

use worldshard::hub::{Commons, DebugMeter, Hub, Opening, Output};
use worldshard::identity::{Identity, UserId};
use worldshard::policy::{Policy, RateAction, RateLimit, RateScope, RateUnit, TenantOptions};
use worldshard::prelude::*;
use worldshard_client::protocol::{APP_SVC, HotHeader};
use worldshard_client::transport::{Event, Limits, MessageKind, Reader, Role, masked_frame};

/// One client, and the hub that it speaks to.
pub struct Measured {
    hub: Hub,
    session: SessionId,
    meter: DebugMeter,
    reader: Reader,
    /// As it is on the wire.
    frame: Vec<u8>,
    /// Where it is unmasked.
    bytes: Vec<u8>,
    output: Output,
    since_start: Duration,
}

impl Measured {
    /// A client that speaks on the hot lane or the other; `on`, under lists for both and rates of every scope and unit.
    ///
    /// # Errors
    /// When the application cannot be built.
    pub fn new(on: bool, hot: bool) -> Result<Self> {
        let policy = match on {
            true => everything(),
            false => Policy::default(),
        };
        let mut app = application(Some(policy));
        let recipe = app.build()?;
        let commons = Commons::new(&recipe, 1)?;
        let mut hub = Hub::new(ShardId(0), recipe, commons)?;
        let opening = Opening {
            path: "/lanes".to_owned(),
            framing: Framing::Lanes,
        };
        let identity = Identity {
            user: Some(UserId::new("anna").expect("it is a name")),
            ..Identity::default()
        };
        let opened = hub.open_as(opening, identity, None);
        let session = opened.expect("users have no bound here");
        let mut measured = Self {
            meter: hub.debug_meter(session),
            hub,
            session,
            reader: Reader::new(Role::Server, Limits::default()),
            frame: frame(hot),
            bytes: Vec::new(),
            output: Output::default(),
            since_start: Duration::from_secs(1),
        };
        measured.turn();
        Ok(measured)
    }

    /// It says something, and hears it.
    ///
    /// # Panics
    /// When it does not: then the policy has refused it.
    pub fn say(&mut self) {
        // Never too fast.
        self.since_start += Duration::from_millis(10);
        self.bytes.clone_from(&self.frame);
        let step = self
            .reader
            .read(&mut self.bytes)
            .expect("it is well framed");
        let Some(Event::Message { kind, payload }) = step.event else {
            panic!("a whole message was read");
        };
        let (meter, since_start) = (&mut self.meter, self.since_start);
        self.hub
            .debug_message(self.session, (kind, payload), meter, since_start);
        assert_eq!(self.turn(), 1, "it hears what it said, and no error");
    }

    /// What it said that was refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.hub.status().refused
    }

    fn turn(&mut self) -> usize {
        self.hub.handle();
        std::mem::swap(self.hub.output(), &mut self.output);
        let frames = self.output.frames.drain(..).count();
        let written = u32::try_from(frames).expect("a turn has few frames");
        self.hub.written(self.session, written);
        frames
    }
}

/// Every message back to its sender, on lanes; with a policy for the one tenant that there is then by name.
pub(crate) fn application(policy: Option<Policy>) -> App {
    let mut app = App::new();
    app.lanes("/lanes").system(Update, |cx: &mut Context<'_>| {
        for message in cx.messages() {
            cx.send(Audience::One(message.session), message.payload.clone());
        }
    });
    if let Some(policy) = policy {
        let tenant = TenantOptions {
            policy,
            ..TenantOptions::new(TENANT)
        };
        app.options(|options| options.tenants = vec![tenant]);
    }
    app
}

/// 64 bytes for the application, framed.
pub(crate) fn frame(hot: bool) -> Vec<u8> {
    let (kind, message) = match hot {
        true => {
            let mut message = Vec::new();
            let header = HotHeader {
                svc: APP_SVC,
                ..HotHeader::default()
            };
            header.write(&mut message);
            message.extend_from_slice(&[b'x'; 64]);
            (MessageKind::Binary, message)
        }
        false => {
            let data = "x".repeat(64);
            let text = format!(r#"{{"v":1,"svc":"app","type":"message","data":"{data}"}}"#);
            (MessageKind::Text, text.into_bytes())
        }
    };
    masked_frame(kind, &message, [1, 2, 3, 4]).to_vec()
}

/// A policy that asks everything of a message that can be asked, and refuses none of these clients'.
pub(crate) fn everything() -> Policy {
    let list = |entries: &[&str]| Some(entries.iter().map(|&one| one.to_owned()).collect());
    let scopes = [RateScope::Connection, RateScope::User, RateScope::Tenant];
    let rates = scopes.into_iter().flat_map(|scope| {
        [RateUnit::Messages, RateUnit::Bytes].map(|unit| RateLimit {
            scope,
            unit,
            per_second: PER_SECOND,
            burst: PER_SECOND,
            action: RateAction::Drop,
        })
    });
    Policy {
        ext_allowlist: list(&["app:message", "app:request", "chat:send", "room:*"]),
        hot_allowlist: list(&["1:*", "3:*"]),
        rates: rates.collect(),
        ..Policy::default()
    }
}

/// The name of the tenant.
pub(crate) const TENANT: &str = "acme";

/// More than comes.
const PER_SECOND: u32 = 1_000_000_000;
