//! One button for all who look at `http://127.0.0.1:8080/`: whoever holds it down keeps it from the others. Open it in two tabs.

use serde::Deserialize;
use worldshard::prelude::*;

mod site;

/// Who holds the button down, by which session.
#[derive(Default)]
struct Button(Option<(String, SessionId)>);

/// What a client asks for.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum Wish {
    Press,
    Release,
}

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080").lanes("/world"))
        .plugin(site::SamplePage("shared-button"))
        // So that there is one button.
        .shards(1)
        .resource(Button::default)
        .system(Update, hold)
        .run()
}

fn hold(cx: &mut Context) {
    for session in cx.opened() {
        tell(cx, Audience::One(session));
    }
    for request in cx.requests() {
        let text = request.payload.as_text().unwrap_or_default();
        let Ok(wish) = serde_json::from_str(text) else {
            request.reject(ErrorCode::BadRequest, "neither press nor release");
            continue;
        };
        match change(cx, request.session, &wish) {
            // All learn of it before the one who asked hears yes: then its own state is in what was told.
            Ok(()) => {
                tell(cx, Audience::All);
                request.ack();
            }
            Err(why) => request.reject(ErrorCode::NotAllowed, why),
        }
    }
    for (session, _) in cx.closed() {
        if matches!(cx.resource::<Button>().0, Some((_, holder)) if holder == session) {
            cx.resource_mut::<Button>().0 = None;
            tell(cx, Audience::All);
        }
    }
}

/// Does as it is asked, or says who is in the way.
fn change(cx: &mut Context, session: SessionId, wish: &Wish) -> std::result::Result<(), String> {
    let name = match cx.user(session) {
        Some(user) => user.as_str().to_owned(),
        None => session.to_string(),
    };
    let Button(button) = &mut *cx.resource_mut();
    match (wish, &*button) {
        (Wish::Press, Some((holder, _))) if *holder != name => {
            return Err(format!("{holder} holds it"));
        }
        (Wish::Press, _) => *button = Some((name, session)),
        (Wish::Release, Some((holder, _))) if *holder == name => *button = None,
        (Wish::Release, _) => {}
    }
    Ok(())
}

fn tell(cx: &mut Context, audience: Audience) {
    let holder = cx
        .resource::<Button>()
        .0
        .as_ref()
        .map(|(name, _)| name.clone());
    let state = serde_json::json!({ "type": "button", "holder": holder });
    cx.send(
        audience,
        Text::json(state.to_string()).expect("it was made of JSON"),
    );
}
