//! The Rust client's journey, and what else differs by the platform's socket and clock; for JavaScript to poll.

mod journey;

use std::time::Duration;

use wasm_bindgen::prelude::wasm_bindgen;
use worldshard_client::protocol::{InterestWish, ViewpointMode};
use worldshard_client::{Credential, Link, Options, Report};

use journey::Baggage;

/// All travellers, on their way at the same time.
#[wasm_bindgen]
pub struct Journey(journey::Journey);

#[wasm_bindgen]
impl Journey {
    /// Sets out.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(
        url: String,
        detour: String,
        forged: String,
        ann: String,
        bob: String,
        bob_next: String,
    ) -> Self {
        let baggage = Baggage {
            url,
            detour,
            forged,
            ann,
            bob,
            bob_next,
        };
        Self(journey::Journey::new(&baggage))
    }

    /// Goes on as far as it can; whether all have arrived.
    pub fn poll(&mut self) -> bool {
        self.0.poll()
    }

    /// Whether the detour is to be cut now; says so once.
    #[wasm_bindgen(js_name = takesCut)]
    pub fn takes_cut(&mut self) -> bool {
        self.0.takes_cut()
    }

    /// What they told so far, as in the document.
    #[must_use]
    pub fn told(&self) -> String {
        self.0.told()
    }
}

/// One client by itself, and what it hears.
#[wasm_bindgen]
pub struct Single {
    link: Link,
    heard: Vec<String>,
}

#[wasm_bindgen]
impl Single {
    /// Tries twice, with so much patience that only the socket can end an attempt.
    #[wasm_bindgen(js_name = inVain)]
    #[must_use]
    pub fn in_vain(url: &str) -> Self {
        let mut options = Options::new(url).expect("an address");
        options.reconnect.initial_attempts_max = Some(2);
        options.patience.connect = Duration::from_secs(3600);
        Self::of(options)
    }

    /// Joins the world, and soon asks a silent server whether it is there.
    #[must_use]
    pub fn joining(url: &str, token: &str) -> Self {
        let mut options = Options::new(url).expect("an address");
        options.identity.credential = Some(Credential::new(token));
        options.patience.ping_after = Duration::from_millis(500);
        options.patience.silence = Duration::from_millis(500);
        Self::of(options)
    }

    fn of(options: Options) -> Self {
        Self {
            link: Link::new(options).expect("what the server takes"),
            heard: Vec::new(),
        }
    }

    /// Goes on as far as it can.
    pub fn poll(&mut self) {
        while let Some(report) = self.link.poll() {
            if matches!(&report, Report::Live(live) if !live.resumed) {
                let joined = self
                    .link
                    .join(ViewpointMode::Avatar, None, InterestWish::Default);
                joined.expect("it is live");
            }
            self.heard.push(match &report {
                Report::Delta(_) => continue,
                Report::Connecting { attempt } => format!("connecting {attempt}"),
                Report::Opened => "opened".to_owned(),
                Report::Live(live) if live.resumed => "resumed".to_owned(),
                Report::Live(_) => "live".to_owned(),
                Report::Joined { .. } => "joined".to_owned(),
                Report::Disconnected(_) => "disconnected".to_owned(),
                Report::Dead { cause, .. } => format!("dead {cause:?}"),
                other => format!("{other:?}"),
            });
        }
    }

    /// What was heard so far.
    #[must_use]
    pub fn told(&self) -> String {
        self.heard.join(", ")
    }
}
