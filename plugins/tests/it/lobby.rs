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

/// Each says something and is answered, once and by nothing else.
fn walk(pump: &mut Pump, steps: &[(SessionId, &str, &str)]) {
    for (session, said, answer) in steps {
        say(pump, *session, said);
        assert_eq!(heard(pump, *session), [*answer], "{said}");
    }
}

/// Five sessions, of which the first three are in the lobby `x`, of four, and have read all that they were told.
fn three_in_x(shards: u16) -> (Pump, [SessionId; 5]) {
    let mut pump = Pump::new(&mut app(LobbyPlugin::new()), shards, 5);
    let sessions: [SessionId; 5] = open(&mut pump, 5).try_into().unwrap();
    let [ann, ben, cleo, ..] = sessions;
    walk(
        &mut pump,
        &[
            (
                ann,
                "/lobby create x",
                "[Lobby] Created and joined 'x' (1/4).",
            ),
            (ben, "/lobby join x", "[Lobby] Joined 'x' (2/4)."),
            (cleo, "/lobby join x", "[Lobby] Joined 'x' (3/4)."),
        ],
    );
    let joined = [(ben, 2), (cleo, 3)].map(|(who, k)| format!("[Lobby] {who} joined 'x' ({k}/4)."));
    assert_eq!(heard(&mut pump, ann), joined);
    assert_eq!(heard(&mut pump, ben), joined[1..]);
    (pump, sessions)
}

const NONE: &str = "[Lobby] Public lobbies:\n  (none)";
const NOT_FOUND: &str = "[Lobby] 'x' not found.";
const IN_NONE: &str = "[Lobby] You are in no lobby.";
const NO_OWNER: &str = "[Lobby] Only the owner may do that.";

#[test]
fn where_there_is_no_lobby_all_that_needs_one_is_refused() {
    for shards in SHARDS {
        let mut pump = Pump::new(&mut app(LobbyPlugin::new()), shards, 5);
        let one = open(&mut pump, shards)[usize::from(shards) - 1];
        let steps = [
            (one, "/lobby list", NONE),
            (one, "/lobby leave", IN_NONE),
            (one, "/lobby join x", NOT_FOUND),
            (one, "/lobby info x", NOT_FOUND),
            (one, "/lobby kick 1", IN_NONE),
            (one, "/lobby transfer 1", IN_NONE),
        ];
        walk(&mut pump, &steps);
        for max in ["0", "1", "65", "-2", "many"] {
            let said = format!("/lobby create x {max}");
            walk(&mut pump, &[(one, &said, "[Lobby] A lobby is of 2 to 64.")]);
        }
        let long = format!("/lobby create {}", "x".repeat(33));
        walk(
            &mut pump,
            &[(
                one,
                &long,
                "[Lobby] A lobby's name has at most 32 characters.",
            )],
        );
        for rest in ["", " create", " create x 2 public", " dance", " join"] {
            say(&mut pump, one, &format!("/lobby{rest}"));
            assert!(heard(&mut pump, one)[0].starts_with("[Lobby] Say /lobby create"));
        }
        walk(&mut pump, &[(one, "/lobby list", NONE)]);
    }
}

#[test]
fn members_others_and_lists_are_told_of_a_lobby_what_is_so() {
    for shards in SHARDS {
        let (mut pump, [ann, ben, cleo, dan, _]) = three_in_x(shards);
        let line = format!("x (3/4)  owner:{ann}");
        let list = format!("[Lobby] Public lobbies:\n  {line}");
        let info = format!("[Lobby] x (3/4)  open\n  {ann}  owner\n  {ben}\n  {cleo}");
        let busy = "[Lobby] Leave your current lobby before creating one.";
        let steps = [
            (dan, "/lobby create x 3", "[Lobby] 'x' already exists."),
            (ann, "/lobby create y", busy),
            (
                ann,
                "/lobby join y",
                "[Lobby] Leave your current lobby first.",
            ),
            (dan, "/lobby info x", &format!("[Lobby] {line}")),
            (dan, "/lobby list", &list),
            (cleo, "/lobby info x", &info),
        ];
        walk(&mut pump, &steps);
    }
}

#[test]
fn an_owner_may_send_away_and_hand_over_and_is_followed_by_who_came_next() {
    for shards in SHARDS {
        let (mut pump, [ann, ben, cleo, dan, eve]) = three_in_x(shards);
        let (to_cleo, to_dan) = [cleo, dan]
            .map(|one| format!("/lobby transfer {one}"))
            .into();
        let (kick_cleo, kick_ann) = [cleo, ann].map(|one| format!("/lobby kick {one}")).into();
        let stranger = format!("[Lobby] {dan} is not in your lobby.");
        let owns = format!("[Lobby] {cleo} owns 'x' now.");
        let steps = [
            (ben, &*to_cleo, NO_OWNER),
            (ben, &kick_cleo, NO_OWNER),
            (ann, &kick_ann, "[Lobby] That is you."),
            (ann, &to_dan, &stranger),
            (ann, &to_cleo, &owns),
        ];
        walk(&mut pump, &steps);
        assert_eq!(heard(&mut pump, ben), [&*owns]);
        assert_eq!(heard(&mut pump, cleo), [&*owns]);
        let left = format!("[Lobby] {ann} left 'x' (2/4).");
        walk(&mut pump, &[(cleo, &kick_ann, &left)]);
        let sent_away = "[Lobby] You are not in 'x' any more: the owner does not want you.";
        assert_eq!(heard(&mut pump, ann), [sent_away]);
        assert_eq!(heard(&mut pump, ben), [left]);
        walk(&mut pump, &[(cleo, "/lobby leave", "[Lobby] Left 'x'.")]);
        let told = [
            format!("[Lobby] {cleo} left 'x' (1/4)."),
            format!("[Lobby] {ben} owns 'x' now."),
        ];
        assert_eq!(heard(&mut pump, ben), told);
        pump.close(ben, CloseReason::Lost);
        pump.settle();
        walk(
            &mut pump,
            &[
                (eve, "/lobby list", NONE),
                (eve, "/lobby join x", NOT_FOUND),
            ],
        );
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
        walk(&mut pump, &[(asks, "/lobby list", &first)]);
        let second = format!("[Lobby] Public lobbies:{}", line("c", 64, 4));
        walk(&mut pump, &[(asks, "/lobby list b", &second)]);
        walk(
            &mut pump,
            &[(asks, "/lobby info secret", "[Lobby] 'secret' not found.")],
        );
        // Who knows its name may come.
        walk(
            &mut pump,
            &[(
                sessions[5],
                "/lobby join hidden",
                "[Lobby] Joined 'hidden' (2/3).",
            )],
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
        walk(&mut pump, &[(late, "/lobby join x", refused)]);
        heard(&mut pump, ready[2]);
        walk(&mut pump, &[(ready[2], "/lobby join x", refused)]);
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
    ) -> Result<(), std::borrow::Cow<'static, str>> {
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
    // Seeds are orders in which letters come.
    for (shards, seed) in SHARDS
        .into_iter()
        .flat_map(|shards| (1..=10).map(move |seed| (shards, seed)))
    {
        let landed = Landed::default();
        let matches = Arc::clone(&landed);
        let mut app = app(LobbyPlugin::new().matches("match"));
        app.rooms(Rooms::named("match", move |_| Match(Arc::clone(&matches))));
        let mut pump = Pump::new(&mut app, shards, seed);
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
            assert_eq!(members, sessions, "round {round}, seed {seed}");
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
                walk(&mut pump, &[(*session, "/lobby leave", IN_NONE)]);
            }
            walk(&mut pump, &[(sessions[0], "/lobby list", NONE)]);
            names.push(name.clone());
        }
        names.dedup();
        assert_eq!(names.len(), 3);
    }
}

struct Closed;

impl Service for Closed {
    fn admit(
        &mut self,
        _: &mut Room<'_>,
        _: SessionId,
        _: &Payload,
    ) -> Result<(), std::borrow::Cow<'static, str>> {
        Err("no match today".into())
    }
}

#[test]
fn whom_a_match_does_not_let_in_is_told_so_and_may_wait_again() {
    for shards in SHARDS {
        let mut app = app(LobbyPlugin::new().matches("match"));
        app.rooms(Rooms::named("match", |_| Closed));
        let mut pump = Pump::new(&mut app, shards, 5);
        let sessions = open(&mut pump, 2);
        say(&mut pump, sessions[0], "/lobby create duel 2");
        say(&mut pump, sessions[1], "/lobby join duel");
        for session in sessions {
            let last = heard(&mut pump, session).pop().unwrap();
            let name = "[Lobby] You are not let into 'duel-";
            assert!(
                last.starts_with(name) && last.ends_with("': no match today"),
                "{last}"
            );
            let created = "[Lobby] Created and joined 'again' (1/2).";
            walk(&mut pump, &[(session, "/lobby create again 2", created)]);
            walk(
                &mut pump,
                &[(session, "/lobby leave", "[Lobby] Left 'again'.")],
            );
        }
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
