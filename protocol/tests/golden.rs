//! Golden bytes: what this version says is what `golden/` and `docs/wire.md` show.
//!
//! `WORLDSHARD_BLESS=1` rewrites `golden/`; a changed byte there is a new layout version.

mod cases;
mod mutate;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use worldshard_protocol::hot::HotHeader;
use worldshard_protocol::{ClientMessage, ExtEnvelope, View, WireError, read_delta, read_overview};

use cases::hex;

/// Compares with the stored file, or stores it when asked to.
fn check(name: &str, bytes: &[u8]) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    if std::env::var_os("WORLDSHARD_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&path, bytes).expect("golden/ is writable");
    }
    let stored = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(stored == bytes, "{name} differs from the golden bytes");
}

fn check_json(name: &str, value: &Value) {
    let mut text = serde_json::to_string_pretty(value).expect("a value is JSON");
    text.push('\n');
    check(name, text.as_bytes());
}

#[test]
fn deltas_have_their_golden_bytes() {
    let mut view = View::new();
    for case in cases::deltas() {
        let bytes = case.bytes();
        read_delta(&bytes).unwrap();
        view.apply(&bytes).unwrap();
        check(&format!("{}.bin", case.name), &bytes);
        let mut description = case.describe();
        description["view_after"] = json!({
            "ids": view.ids().map(|id| id.0).collect::<Vec<_>>(),
            "digest": format!("{:032x}", view.digest()),
        });
        check_json(&format!("{}.json", case.name), &description);
    }
}

/// Readers in other languages must judge these as this one does.
#[test]
fn mutated_deltas_have_their_golden_verdicts() {
    let mut chance = mutate::Chance(11);
    let seeds: Vec<Vec<u8>> = cases::deltas()
        .iter()
        .take(2)
        .map(cases::DeltaCase::bytes)
        .collect();
    let mut verdicts = [0; 2];
    let mutants: Vec<Value> = (0..300)
        .map(|round| {
            let bytes = mutate::mutated(&seeds[round % 2], &mut chance);
            let accepted = read_delta(&bytes).is_ok();
            verdicts[usize::from(accepted)] += 1;
            json!({ "hex": hex(&bytes), "accepted": accepted })
        })
        .collect();
    assert!(verdicts.iter().all(|&count| count > 30), "{verdicts:?}");
    check_json("delta_mutants.json", &Value::from(mutants));
}

#[test]
fn overview_has_its_golden_bytes() {
    let (overview, description) = cases::overview();
    let mut bytes = Vec::new();
    overview.write(&mut bytes);
    read_overview(&bytes).unwrap();
    check("overview.bin", &bytes);
    check_json("overview.json", &description);
}

#[test]
fn headers_have_their_golden_bytes() {
    let vectors: Vec<Value> = cases::headers()
        .into_iter()
        .map(|(description, bytes)| {
            let outcome = match HotHeader::parse(&bytes) {
                Ok((header, payload)) => json!({
                    "svc_id": header.svc,
                    "opcode": header.opcode,
                    "flags": bytes[3],
                    "seq": header.seq,
                    "delta_ack": header.delta_ack,
                    "payload": hex(payload),
                }),
                Err(WireError { code, .. }) => json!({ "error": code.as_str() }),
            };
            json!({ "description": description, "hex": hex(&bytes), "expect": outcome })
        })
        .collect();
    check_json("hot_headers.json", &Value::from(vectors));
}

#[test]
fn client_messages_have_their_golden_bytes() {
    let vectors: Vec<Value> = cases::client_messages()
        .into_iter()
        .map(|(message, seq, delta_ack)| {
            let mut bytes = Vec::new();
            message.encode(seq, delta_ack, &mut bytes);
            let (header, payload) = HotHeader::parse(&bytes).unwrap();
            assert_eq!(ClientMessage::parse(&header, payload), Ok(message));
            let described = cases::describe_message(&message);
            json!({ "message": described, "seq": seq, "delta_ack": delta_ack, "hex": hex(&bytes) })
        })
        .collect();
    check_json("client_messages.json", &Value::from(vectors));
}

#[test]
fn texts_have_their_golden_bytes() {
    let texts: Vec<Value> = cases::texts()
        .into_iter()
        .map(|text| {
            let outcome = match ExtEnvelope::parse(&text) {
                Ok(envelope) => {
                    json!({ "svc": envelope.svc, "type": envelope.kind, "seq": envelope.seq })
                }
                Err(WireError { code, .. }) => json!({ "error": code.as_str() }),
            };
            json!({ "text": text, "expect": outcome })
        })
        .collect();
    check_json("ext_texts.json", &Value::from(texts));
}

/// What is refused, and what the refusal names: a client that is written against these knows what to expect of a server.
#[test]
fn refusals_name_the_field_and_have_their_golden_bytes() {
    let refused = |lane: &str, said: Value, error: WireError, names: &str| {
        let WireError { code, detail } = error;
        let is_named = match names.strip_prefix('`') {
            Some(_) => detail.contains(names),
            None => detail.starts_with(&format!("{names}: ")),
        };
        assert!(is_named, "{said}: {detail} names no {names}");
        let names = names.trim_matches('`');
        json!({ "lane": lane, "said": said, "expect": { "error": code.as_str(), "names": names } })
    };
    let texts = cases::refused_texts().into_iter().map(|(text, names)| {
        let error = ExtEnvelope::parse(&text).unwrap_err();
        refused("ext", Value::from(text), error, names)
    });
    let headers = cases::refused_headers().into_iter().map(|(bytes, names)| {
        let error = HotHeader::parse(&bytes).unwrap_err();
        refused("hot", Value::from(hex(&bytes)), error, names)
    });
    let vectors: Vec<Value> = texts.chain(headers).collect();
    check_json("refusals.json", &Value::from(vectors));
}
