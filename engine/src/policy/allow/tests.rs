use super::*;

fn ext(entries: &[&str]) -> Result<ExtAllowed, String> {
    let entries: Vec<String> = entries.iter().map(|&one| one.to_owned()).collect();
    ExtAllowed::compile(&entries)
}

fn hot(entries: &[&str]) -> Result<HotAllowed, String> {
    let entries: Vec<String> = entries.iter().map(|&one| one.to_owned()).collect();
    HotAllowed::compile(&entries)
}

#[test]
fn ext_entries_allow_what_they_name_and_nothing_else() {
    for (entries, svc, kind, allowed) in [
        (&["chat:send"][..], "chat", "send", true),
        (&["chat:send"], "chat", "sen", false),
        (&["chat:send"], "chat", "send2", false),
        (&["chat:send"], "chat", "*", false),
        (&["chat:send"], "cha", "send", false),
        (&["chat:send"], "room", "send", false),
        (&["chat:*"], "chat", "whatever", true),
        (&["chat:*"], "chats", "whatever", false),
        (&["chat:send", "chat:*"], "chat", "edit", true),
        (&["chat:*", "chat:send"], "chat", "edit", true),
        (&["a:x", "c:x", "b:x", "b:w"], "b", "w", true),
        (&["a:x", "c:x", "b:x", "b:w"], "c", "w", false),
        (&["chat:a:b"], "chat", "a:b", true),
        (&[], "chat", "send", false),
        (&[], "app", "message", false),
        (&[], "sys", "ping", true),
        (&["chat:send"], "sys", "auth", true),
    ] {
        let list = ext(entries).unwrap();
        assert_eq!(list.allows(svc, kind), allowed, "{entries:?} {svc}:{kind}");
    }
}

#[test]
fn malformed_ext_entries_are_named() {
    let long = format!("{}:x", "s".repeat(EXT_NAME_BYTES_MAX + 1));
    for entry in [
        "", "chat", ":", ":send", "chat:", "*:*", "*:send", "chat:se*", &long,
    ] {
        let error = ext(&["room:join", entry]).unwrap_err();
        assert!(
            error.starts_with(&format!("{entry:?}")),
            "{entry:?}: {error}"
        );
    }
}

#[test]
fn hot_entries_allow_what_they_name_and_nothing_else() {
    let list = hot(&["1:1", "2:*", "255:255", "0:64"]).unwrap();
    for svc in 0..=u8::MAX {
        for opcode in 0..=u8::MAX {
            let allowed = svc == 2 || matches!((svc, opcode), (1, 1) | (255, 255) | (0, 64));
            assert_eq!(list.allows(svc, opcode), allowed, "{svc}:{opcode}");
        }
    }
    let nothing = hot(&[]).unwrap();
    assert!((0..=u8::MAX).all(|svc| !nothing.allows(svc, svc)));
}

#[test]
fn malformed_hot_entries_are_named() {
    for entry in [
        "", "1", "1:", ":1", "*:1", "256:1", "1:256", "+1:1", "1:-1", "0x1:1", " 1:1", "1:1:1",
    ] {
        let error = hot(&["1:1", entry]).unwrap_err();
        assert!(
            error.starts_with(&format!("{entry:?}")),
            "{entry:?}: {error}"
        );
    }
}

#[test]
fn names_of_every_length_are_told_apart() {
    let alphabet = "abcdefghijklmnopqrstuvwxyz";
    let names: Vec<String> = (1..=EXT_NAME_BYTES_MAX)
        .map(|length| alphabet.chars().cycle().take(length).collect())
        .collect();
    // Of each length one is named; others differ from it in one byte, wherever that is.
    let entries: Vec<String> = names.iter().map(|name| format!("{name}:{name}")).collect();
    let list = ExtAllowed::compile(&entries).unwrap();
    for name in &names {
        assert!(list.allows(name, name), "{name}");
        for at in 0..name.len() {
            let mut other = name.clone();
            other.replace_range(at..=at, "_");
            assert!(!list.allows(&other, name), "{other} {name}");
            assert!(!list.allows(name, &other), "{name} {other}");
        }
        let longer = format!("{name}\0");
        assert!(!list.allows(name, &longer) && !list.allows(&longer, name));
    }
    assert!(!list.allows("", "") && !list.allows("a", "") && !list.allows("", "a"));
    let longest = "s".repeat(1 << 16);
    assert!(!list.allows(&longest, &longest));
}
