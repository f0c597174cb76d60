//! A world at `ws://127.0.0.1:8080/world` for those who have a token: they walk, ask who they are, wave, and wait for each
//! other's waves. With keys and tokens of `worldshard keygen` and `worldshard token`: `members game.pub`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use worldshard::identity::PublicKey;
use worldshard::prelude::*;
use worldshard::{OriginPolicy, TokenPolicy};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args()
        .nth(1)
        .ok_or("members KEY.pub: whose tokens are good?")?;
    let key = PublicKey::from_pem(&std::fs::read_to_string(path)?)?;
    members(key).run()?;
    Ok(())
}

/// Lets in whose token this key tells, for as long as the token is good.
pub(crate) fn members(key: PublicKey) -> App {
    // One list for all shards: a request may be answered from anywhere.
    let waiting = Arc::new(Mutex::new(Vec::new()));
    let mut app = App::new();
    app.plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .world(WorldConfig::default())
        .avatar(|_, at| Draft::at(at))
        .system(Update, move |cx: &mut Context| answer(cx, &waiting))
        .options(|options| {
            options.auth = Some(Auth::Tokens(TokenPolicy::new(vec![key])));
            // Pages of any origin: none has a token but its user's.
            options.origins = OriginPolicy::Any;
            options.limits.resume_grace = Duration::from_secs(20);
        });
    app
}

fn answer(cx: &mut Context, waiting: &Mutex<Vec<Request>>) {
    for request in cx.requests() {
        let user = cx.user(request.session).map(UserId::to_string);
        let user = user.expect("nobody is let in without a name");
        let mut waiting = waiting.lock().expect("nothing panics while it is held");
        match request.payload.as_text() {
            Some(r#""who am i""#) => request.respond(user),
            Some(r#""wait""#) => {
                // So that a session has no more here than it may have open.
                waiting.retain(|other| other.token.is_wanted());
                waiting.push(request);
            }
            Some(r#""wave""#) => {
                waiting
                    .drain(..)
                    .for_each(|other| other.respond(user.clone()));
                request.ack();
            }
            _ => request.reject(ErrorCode::BadRequest, "neither who am i nor wait nor wave"),
        }
    }
}
