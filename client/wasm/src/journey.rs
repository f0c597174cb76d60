//! The journey of `docs/journey.md` with the Rust client: who travels, and what they tell. Waits for nothing: a test's loop polls
//! it, or a page's timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use worldshard_client::protocol::{EntityId, InterestWish, ViewpointMode};
use worldshard_client::{
    Cause, Credential, CredentialPlace, Link, Live, Options, Payload, Report, RequestId,
};

/// What the travellers set out with.
pub(crate) struct Baggage {
    /// The server's world.
    pub(crate) url: String,
    /// The same by a way that can be cut.
    pub(crate) detour: String,
    /// A token of a key that the server does not know.
    pub(crate) forged: String,
    /// Ann's token, good for longer than the journey.
    pub(crate) ann: String,
    /// Bob's token, good for some seconds.
    pub(crate) bob: String,
    /// Bob's next one, good for some seconds more.
    pub(crate) bob_next: String,
}

/// All travellers, on their way at the same time.
pub(crate) struct Journey {
    travellers: Vec<Traveller>,
}

impl Journey {
    pub(crate) fn new(baggage: &Baggage) -> Self {
        let Baggage { url, detour, .. } = baggage;
        let message = CredentialPlace::FirstMessage;
        let subprotocol = CredentialPlace::Subprotocol;
        let forged = Some(baggage.forged.as_str());
        let travellers = vec![
            Traveller::new("nobody", url, None, message),
            Traveller::new("forger", url, forged, message),
            Traveller::new("forger by subprotocol", url, forged, subprotocol),
            Traveller::new("ann", detour, Some(&baggage.ann), message),
            Traveller::new("bob", url, Some(&baggage.bob), subprotocol)
                .renewing(baggage.bob_next.clone()),
        ];
        Self { travellers }
    }

    /// Goes on as far as it can; whether all have arrived.
    pub(crate) fn poll(&mut self) -> bool {
        for traveller in &mut self.travellers {
            traveller.poll();
        }
        self.travellers.iter().all(|one| one.is_dead)
    }

    /// Whether the detour is to be cut now; says so once.
    pub(crate) fn takes_cut(&mut self) -> bool {
        let mut travellers = self.travellers.iter_mut();
        travellers.any(|one| std::mem::take(&mut one.wants_cut))
    }

    /// What they told so far, as in the document.
    pub(crate) fn told(&self) -> String {
        let told = self.travellers.iter().map(|Traveller { name, lines, .. }| {
            let lines: String = lines.iter().map(|line| format!("  {line}\n")).collect();
            format!("{name}\n{lines}")
        });
        told.collect()
    }
}

struct Traveller {
    name: &'static str,
    link: Link,
    lines: Vec<String>,
    /// What was asked, by its number.
    asked: Vec<(RequestId, &'static str)>,
    session: Option<u64>,
    avatar: Option<EntityId>,
    was_cut: bool,
    wants_cut: bool,
    /// The number of the command to walk, once it is said.
    walk: Option<u32>,
    /// How often a token was asked for; none who has no other.
    renewals: Option<Arc<AtomicU32>>,
    is_dead: bool,
}

impl Traveller {
    fn new(name: &'static str, url: &str, token: Option<&str>, place: CredentialPlace) -> Self {
        let mut options = Options::new(url).expect("the server's address");
        options.identity.credential = token.map(Credential::new);
        options.identity.place = place;
        Self {
            name,
            link: Link::new(options).expect("what the server takes"),
            lines: Vec::new(),
            asked: Vec::new(),
            session: None,
            avatar: None,
            was_cut: false,
            wants_cut: false,
            walk: None,
            renewals: None,
            is_dead: false,
        }
    }

    /// Has this one token when it is asked for another, and then none.
    fn renewing(mut self, token: String) -> Self {
        let renewals = Arc::<AtomicU32>::default();
        let (count, mut next) = (renewals.clone(), Some(token));
        self.link = self.link.renewing(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            next.take().map(Credential::new)
        });
        self.renewals = Some(renewals);
        self
    }

    fn poll(&mut self) {
        while let Some(report) = self.link.poll() {
            self.tell(&report);
            if self.name == "ann" {
                self.go_on(&report);
            }
        }
    }

    /// What ann does when she hears this.
    fn go_on(&mut self, report: &Report) {
        match report {
            Report::Live(live) if live.resumed => self.ask("wave"),
            Report::Live(_) => {
                let joined = self
                    .link
                    .join(ViewpointMode::Avatar, None, InterestWish::Default);
                joined.expect("she is live");
            }
            Report::Joined { entity, .. } => {
                self.avatar = *entity;
                self.ask("who am i");
            }
            Report::Response { .. } if !self.asks("wait") => self.ask("wave"),
            // What was said before this was asked is heard, too.
            Report::Response { .. } => self.wants_cut = true,
            Report::Ack { .. } if !self.was_cut => self.ask("fly"),
            Report::Ack { .. } => {
                let walk = self.link.steer([1.0, 0.0, 0.0]);
                self.walk = Some(walk.expect("she is live"));
            }
            Report::Reject { .. } => {
                self.ask("wait");
                self.ask("who am i");
            }
            Report::Delta(_) if self.has_walked() => {
                self.walk = None;
                self.lines.push("walks in sight".to_owned());
                self.link.close();
            }
            _ => {}
        }
    }

    fn ask(&mut self, what: &'static str) {
        let asked = self.link.request(what, Duration::from_secs(30));
        self.asked.push((asked.expect("she is live").id(), what));
    }

    fn asks(&self, what: &str) -> bool {
        self.asked.iter().any(|(_, asked)| *asked == what)
    }

    /// Whether the view contains the walk, and who walks.
    fn has_walked(&self) -> bool {
        let view = self.link.view();
        let is_done = self
            .walk
            .is_some_and(|walk| view.command_sequence() >= walk);
        is_done && self.avatar.is_some_and(|one| view.get(one).is_some())
    }

    /// Notes what was heard.
    fn tell(&mut self, report: &Report) {
        let of = |request: &RequestId| {
            let asked = self.asked.iter().find(|(id, _)| id == request);
            asked.map_or("nothing that was asked", |(_, what)| *what)
        };
        let line = match report {
            Report::Delta(_) | Report::Overview(_) => return,
            Report::Connecting { attempt } => {
                self.tell_renewals();
                format!("connecting {attempt}")
            }
            Report::Opened => "opened".to_owned(),
            Report::Live(live) => self.greeted(live),
            Report::Joined { .. } => "joined".to_owned(),
            Report::Disconnected(_) => {
                self.was_cut = true;
                "disconnected".to_owned()
            }
            Report::ClosedByServer { code, reason } => format!("closedByServer {code} {reason}"),
            Report::ClosedBySelf => "closedBySelf".to_owned(),
            Report::Dead { cause, unsent } => {
                self.is_dead = true;
                self.tell_renewals();
                assert!(unsent.is_empty(), "{unsent:?}");
                format!("dead {}", name_of(cause))
            }
            Report::Response { request, payload } => {
                format!("{}: response {}", of(request), json(payload))
            }
            Report::Ack { request } => format!("{}: ack", of(request)),
            Report::Reject {
                request,
                code,
                message,
            } => format!("{}: reject {code}: {message}", of(request)),
            Report::ResponseLost { request } => format!("{}: responseLost", of(request)),
            Report::Refused(refused) => {
                format!("error {}: {}", refused.code.as_str(), refused.message)
            }
            // Nothing else is to be told.
            other => format!("{other:?}"),
        };
        self.lines.push(line);
    }

    /// How often a token was asked for, if ever.
    fn tell_renewals(&mut self) {
        let renewals = self.renewals.as_ref();
        let count = renewals.map_or(0, |count| count.load(Ordering::Relaxed));
        if count > 0 {
            self.lines.push(format!("asked {count}"));
        }
    }

    fn greeted(&mut self, live: &Live) -> String {
        let greeting = live.greeting.as_ref().expect("a world greets");
        let user = greeting
            .user
            .as_ref()
            .map_or("nobody", |user| user.as_str());
        let before = self.session.replace(greeting.session);
        let session = match before {
            None => "",
            Some(before) if before == greeting.session && live.resumed => ", the same session",
            Some(_) => ", another session",
        };
        let is_same = live.resumed
            && self.avatar.is_some()
            && self.link.avatar() == self.avatar
            && greeting.entity == self.avatar.map(|one| one.0);
        let avatar = if is_same { ", the same avatar" } else { "" };
        format!("live as {user}{session}{avatar}")
    }
}

/// As both clients' documents have it.
fn name_of(cause: &Cause) -> String {
    match cause {
        Cause::ClosedBySelf => "closedBySelf".to_owned(),
        Cause::ClosedByServer => "closedByServer".to_owned(),
        Cause::CredentialRefused => "credentialRefused".to_owned(),
        other => format!("{other:?}"),
    }
}

fn json(payload: &Payload) -> String {
    match payload {
        Payload::Text(text) => format!("{text:?}"),
        Payload::Json(json) => json.clone(),
        Payload::Binary(bytes) => format!("{bytes:?}"),
    }
}
