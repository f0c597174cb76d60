//! Lobbies: a walk through every command and every refusal, readiness once, and matches that all land in together.

use std::sync::{Arc, Mutex};

use worldshard::prelude::*;
use worldshard_plugins::LobbyPlugin;

use crate::pump::Pump;
use crate::{SHARDS, app, heard, say, texts};

fn open(pump: &mut Pump, count: u16) -> Vec<SessionId> {
    let shards = pump.shards();
    let sessions = (0..count).map(|n| pump.open(n % shards, "/ws")).collect();
    pump.settle();
    sessions
}

fn walk(pump: &mut Pump, session: SessionId, said: &str, answers: &[&str]) {
    say(pump, session, said);
    let heard = heard(pump, session);
    assert_eq!(heard, answers, "{said}");
}

#[test]
fn every_command_and_every_refusal_has_its_words() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(LobbyPlugin::new()), shards, 5);
        let sessions = open(&mut pump, 5);
        let [ann, ben, cleo, dan, eve] = [0, 1, 2, 3, 4].map(|n| sessions[n]);
        walk(
            &mut pump,
            ann,
            "/lobby list",
            &["[Lobby] Public lobbies:\n  (none)"],
        );
        walk(
            &mut pump,
            ann,
            "/lobby leave",
            &["[Lobby] You are in no lobby."],
        );
        walk(&mut pump, ann, "/lobby join x", &["[Lobby] 'x' not found."]);
        walk(&mut pump, ann, "/lobby info x", &["[Lobby] 'x' not found."]);
        walk(
            &mut pump,
            ann,
            "/lobby kick 1",
            &["[Lobby] You are in no lobby."],
        );
        for max in ["0", "1", "65", "-2", "many"] {
            let said = format!("/lobby create x {max}");
            walk(&mut pump, ann, &said, &["[Lobby] A lobby is of 2 to 64."]);
        }
        for said in [
            "/lobby",
            "/lobby create",
            "/lobby create x 2 public",
            "/lobby dance",
        ] {
            say(&mut pump, ann, said);
            assert!(heard(&mut pump, ann)[0].starts_with("[Lobby] Say /lobby create"));
        }
        walk(
            &mut pump,
            ann,
            "/lobby create x",
            &["[Lobby] Created and joined 'x' (1/4)."],
        );
        walk(
            &mut pump,
            ben,
            "/lobby create x 3",
            &["[Lobby] 'x' already exists."],
        );
        walk(
            &mut pump,
            ann,
            "/lobby create y",
            &["[Lobby] Leave your current lobby before creating one."],
        );
        walk(
            &mut pump,
            ann,
            "/lobby join y",
            &["[Lobby] Leave your current lobby first."],
        );
        walk(
            &mut pump,
            ben,
            "/lobby join x",
            &["[Lobby] Joined 'x' (2/4)."],
        );
        walk(
            &mut pump,
            cleo,
            "/lobby join x",
            &["[Lobby] Joined 'x' (3/4)."],
        );
        let told = [ben, cleo].map(|one| {
            if one == ben {
                format!("[Lobby] {ben} joined 'x' (2/4).")
            } else {
                format!("[Lobby] {cleo} joined 'x' (3/4).")
            }
        });
        assert_eq!(heard(&mut pump, ann), told);
        heard(&mut pump, ben);
        let line = format!("x (3/4)  owner:{ann}");
        walk(
            &mut pump,
            dan,
            "/lobby info x",
            &[&format!("[Lobby] {line}")],
        );
        let list = format!("[Lobby] Public lobbies:\n  {line}");
        walk(&mut pump, dan, "/lobby list", &[&list]);
        let info = format!("[Lobby] x (3/4)  open\n  {ann}  owner\n  {ben}\n  {cleo}");
        walk(&mut pump, cleo, "/lobby info x", &[&info]);

        walk(
            &mut pump,
            ben,
            &format!("/lobby transfer {cleo}"),
            &["[Lobby] Only the owner may do that."],
        );
        walk(
            &mut pump,
            ben,
            &format!("/lobby kick {cleo}"),
            &["[Lobby] Only the owner may do that."],
        );
        walk(
            &mut pump,
            ann,
            &format!("/lobby kick {ann}"),
            &["[Lobby] That is you."],
        );
        let stranger = format!("[Lobby] {dan} is not in your lobby.");
        walk(
            &mut pump,
            ann,
            &format!("/lobby transfer {dan}"),
            &[&stranger],
        );
        let owns = format!("[Lobby] {cleo} owns 'x' now.");
        walk(&mut pump, ann, &format!("/lobby transfer {cleo}"), &[&owns]);
        assert_eq!(heard(&mut pump, ben), [&*owns]);
        heard(&mut pump, cleo);
        let left = format!("[Lobby] {ann} left 'x' (2/4).");
        walk(&mut pump, cleo, &format!("/lobby kick {ann}"), &[&left]);
        assert_eq!(
            heard(&mut pump, ann),
            ["[Lobby] You are not in 'x' any more: the owner does not want you."]
        );
        heard(&mut pump, ben);
        walk(&mut pump, cleo, "/lobby leave", &["[Lobby] Left 'x'."]);
        let ben_owns = format!("[Lobby] {ben} owns 'x' now.");
        assert_eq!(
            heard(&mut pump, ben),
            [format!("[Lobby] {cleo} left 'x' (1/4)."), ben_owns]
        );
        pump.close(ben, CloseReason::Lost);
        pump.settle();
        walk(
            &mut pump,
            eve,
            "/lobby list",
            &["[Lobby] Public lobbies:\n  (none)"],
        );
        walk(&mut pump, eve, "/lobby join x", &["[Lobby] 'x' not found."]);
    }
}

#[test]
fn private_hides_a_lobby_and_without_the_word_it_is_listed() {
    for shards in SHARDS {
        let plugin = LobbyPlugin::new().members_default(3).lobbies_listed_max(2);
        let mut pump = Pump::new(&mut app(plugin), shards, 5);
        let sessions = open(&mut pump, 7);
        for (session, said) in sessions.iter().zip([
            "create b",
            "create hidden private",
            "create a 2",
            "create secret 2 private",
            "create c 64",
        ]) {
            say(&mut pump, *session, &format!("/lobby {said}"));
        }
        let asks = sessions[6];
        let line = |name: &str, max: u32, owner: usize| {
            format!("\n  {name} (1/{max})  owner:{}", sessions[owner])
        };
        let first = format!(
            "[Lobby] Public lobbies:{}{}\n  More: /lobby list b",
            line("a", 2, 2),
            line("b", 3, 0)
        );
        walk(&mut pump, asks, "/lobby list", &[&first]);
        let second = format!("[Lobby] Public lobbies:{}", line("c", 64, 4));
        walk(&mut pump, asks, "/lobby list b", &[&second]);
        walk(
            &mut pump,
            asks,
            "/lobby info secret",
            &["[Lobby] 'secret' not found."],
        );
        // Who knows its name may come.
        walk(
            &mut pump,
            sessions[5],
            "/lobby join hidden",
            &["[Lobby] Joined 'hidden' (2/3)."],
        );
        say(&mut pump, sessions[5], "/lobby info hidden");
        assert!(
            heard(&mut pump, sessions[5])[0].starts_with("[Lobby] hidden (2/3)  open  private\n")
        );
    }
}

#[test]
fn a_full_lobby_is_ready_once_and_takes_nobody_any_more() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(LobbyPlugin::new()), shards, 5);
        let sessions = open(&mut pump, 4);
        say(&mut pump, sessions[0], "/lobby create x 3");
        // All at once: the last place is taken once.
        for session in &sessions[1..] {
            pump.text(*session, "/lobby join x");
        }
        pump.settle();
        let is_ready = |pump: &Pump, session: &SessionId| {
            let texts = texts(pump, *session);
            texts
                .iter()
                .filter(|text| **text == "[Lobby] 'x' is ready.")
                .count()
        };
        let ready: Vec<_> = sessions
            .iter()
            .filter(|one| is_ready(&pump, one) == 1)
            .copied()
            .collect();
        assert_eq!(ready.len(), 3);
        let late = *sessions.iter().find(|one| !ready.contains(one)).unwrap();
        let refused = "[Lobby] 'x' is ready and takes nobody any more.";
        assert_eq!(heard(&mut pump, late), [refused]);
        say(&mut pump, ready[2], "/lobby leave");
        walk(&mut pump, late, "/lobby join x", &[refused]);
        heard(&mut pump, ready[2]);
        walk(&mut pump, ready[2], "/lobby join x", &[refused]);
        assert_eq!(is_ready(&pump, &ready[0]), 1, "it was ready once");
        say(&mut pump, late, "/lobby list");
        let line = format!(
            "[Lobby] Public lobbies:\n  x (2/3)  owner:{}  ready",
            sessions[0]
        );
        assert_eq!(heard(&mut pump, late), [line]);
    }
}

/// What rooms of matches were told, by room.
type Landed = Arc<Mutex<Vec<(String, SessionId, String)>>>;

struct Match(Landed);

impl Service for Match {
    fn admit(
        &mut self,
        room: &mut Room<'_>,
        session: SessionId,
        request: &Payload,
    ) -> std::result::Result<(), std::borrow::Cow<'static, str>> {
        let request = request.as_text().unwrap().to_owned();
        let name = room.name().to_owned();
        self.0.lock().unwrap().push((name, session, request));
        Ok(())
    }

    fn connect(&mut self, room: &mut Room<'_>, _: SessionId) {
        if room.members().len() == 3 {
            room.send(Audience::All, format!("{} begins", room.name()));
        }
    }
}

#[test]
fn those_whose_lobby_is_ready_land_in_one_match_that_they_are_told_of() {
    for shards in SHARDS {
        let landed = Landed::default();
        let matches = Arc::clone(&landed);
        let mut app = app(LobbyPlugin::new().matches("match"));
        app.rooms(Rooms::named("match", move |_| Match(Arc::clone(&matches))));
        let mut pump = Pump::new(&mut app, shards, 5);
        let mut names = Vec::new();
        // The same lobby again and again is another match each time.
        for round in 0..3 {
            let mut sessions = open(&mut pump, 3);
            sessions.sort();
            say(&mut pump, sessions[0], "/lobby create duel 3");
            for session in &sessions[1..] {
                pump.text(*session, "/lobby join duel");
            }
            pump.settle();
            let landed = std::mem::take(&mut *landed.lock().unwrap());
            let mut members: Vec<_> = landed.iter().map(|(_, session, _)| *session).collect();
            members.sort();
            assert_eq!(members, sessions, "round {round}");
            let name = &landed[0].0;
            assert!(landed.iter().all(|(room, _, request)| {
                room == name && request == r#"{"lobby":"duel","members":3}"#
            }));
            let told = [
                "[Lobby] 'duel' is ready.".to_owned(),
                format!("[Lobby] 'duel' plays in match '{name}'."),
                format!("{name} begins"),
            ];
            for session in &sessions {
                let heard = heard(&mut pump, *session);
                assert_eq!(heard[heard.len() - 3..], told);
                // Nobody has left, and each may be in another lobby.
                assert!(!heard.iter().any(|text| text.contains("left")));
                walk(
                    &mut pump,
                    *session,
                    "/lobby leave",
                    &["[Lobby] You are in no lobby."],
                );
            }
            walk(
                &mut pump,
                sessions[0],
                "/lobby list",
                &["[Lobby] Public lobbies:\n  (none)"],
            );
            names.push(name.clone());
        }
        names.dedup();
        assert_eq!(names.len(), 3);
    }
}

#[test]
fn a_lobby_of_less_than_two_keeps_the_application_from_starting() {
    for plugin in [
        LobbyPlugin::new().members_default(1),
        LobbyPlugin::new().members_max(3),
    ] {
        let error = app(plugin).build().err().unwrap().to_string();
        assert!(error.starts_with("LobbyPlugin: a lobby of "), "{error}");
    }
}
