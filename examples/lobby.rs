//! Lobbies at `ws://127.0.0.1:8080/ws`: of `/lobby create duel 2` and `/lobby join duel` both land in a match together.

use worldshard::prelude::*;
use worldshard_plugins::LobbyPlugin;

fn main() -> Result<()> {
    App::new()
        .plugin(WebSocketPlugin::bind("127.0.0.1:8080"))
        .plugin(LobbyPlugin::new().matches("duel"))
        .rooms(Rooms::named("duel", |_| Duel))
        .text_command("/strike", |cx: &mut Context, session, how: &str| {
            let duel = cx.rooms_of(session).find(|(kind, _)| *kind == "duel");
            if let Some(name) = duel.map(|(_, name)| name.to_owned()) {
                cx.tell_room(session, "duel", &name, how.to_owned());
            }
        })
        .run()
}

/// Where those play whose lobby was full.
struct Duel;

impl Service for Duel {
    fn connect(&mut self, room: &mut Room<'_>, _: SessionId) {
        if room.members().len() == 2 {
            room.send(Audience::All, "fight");
        }
    }

    fn message(&mut self, room: &mut Room<'_>, member: SessionId, how: &Payload) {
        let how = how.as_text().unwrap_or_default();
        room.send(Audience::AllBut(member), format!("you are struck {how}"));
    }
}
