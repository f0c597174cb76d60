//! `docs/wire.md` says what the code does: offsets, numbers, names and golden bytes are compared.

use std::fs;
use std::mem::offset_of;
use std::path::Path;

use worldshard_protocol::delta::ArchivedDelta;
use worldshard_protocol::overview::{ArchivedDot, ArchivedOverview};
use worldshard_protocol::record::{ArchivedExtra, ArchivedRecord};
use worldshard_protocol::{ErrorCode, app, hot, world};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/wire.md");
    fs::read_to_string(path).expect("docs/wire.md is part of the repository")
}

/// The part of the document under a heading, up to the next heading.
fn section<'d>(document: &'d str, heading: &str) -> &'d str {
    let line = format!("\n{heading}\n");
    let start = document
        .find(&line)
        .unwrap_or_else(|| panic!("no heading {heading}"))
        + line.len();
    let rest = &document[start..];
    rest.find("\n#").map_or(rest, |end| &rest[..end])
}

/// The cells of the rows whose first cell starts with a digit.
fn rows(section: &str) -> Vec<Vec<&str>> {
    section
        .lines()
        .filter(|line| {
            line.strip_prefix("| ")
                .is_some_and(|rest| rest.starts_with(char::is_numeric))
        })
        .map(|line| {
            line.split('|')
                .skip(1)
                .map(|cell| cell.trim().trim_matches('`'))
                .collect()
        })
        .collect()
}

/// The table's offsets, sizes and names are those of the archived type.
#[track_caller]
fn check_layout(heading: &str, fields: &[(&str, usize)], total: usize) {
    let ends = fields
        .iter()
        .skip(1)
        .map(|&(_, offset)| offset)
        .chain([total]);
    let expected: Vec<Vec<String>> = fields
        .iter()
        .zip(ends)
        .map(|(&(name, start), end)| {
            vec![
                start.to_string(),
                (end - start).to_string(),
                name.to_owned(),
            ]
        })
        .collect();
    let document = document();
    let written: Vec<_> = rows(section(&document, heading))
        .iter()
        .map(|row| row[..3].to_vec())
        .collect();
    assert_eq!(written, expected, "{heading}");
}

macro_rules! fields {
    ($archived:ty: $($field:ident)*) => {
        (&[$((stringify!($field), offset_of!($archived, $field))),*], size_of::<$archived>())
    };
}

#[test]
fn layouts_are_as_documented() {
    let (fields, total) = fields!(ArchivedDelta: tick base_tick command_sequence flags spare entered changed left extras blob);
    check_layout("### 7.1 Fixed part", fields, total);
    let (fields, total) = fields!(ArchivedRecord: id x y z kind heading spare);
    check_layout("### 7.2 Record", fields, total);
    let (fields, total) = fields!(ArchivedExtra: id component length offset);
    check_layout("### 7.3 Component head", fields, total);
    let (fields, total) = fields!(ArchivedOverview: tick shard total dots ghosts);
    check_layout("### 8.1 Fixed part", fields, total);
    let (fields, total) = fields!(ArchivedDot: id x y z owner kind spare);
    check_layout("### 8.2 Dot", fields, total);
}

#[track_caller]
fn check_opcodes(heading: &str, expected: &[(u8, &str)]) {
    let document = document();
    let written: Vec<_> = rows(section(&document, heading))
        .iter()
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect();
    let expected: Vec<_> = expected
        .iter()
        .map(|&(value, name)| (value.to_string(), name.to_owned()))
        .collect();
    assert_eq!(written, expected, "{heading}");
}

#[test]
fn opcodes_and_flags_are_as_documented() {
    let flags = [
        (hot::FLAG_SEQ, "SEQ"),
        (hot::FLAG_ROOM, "ROOM"),
        (hot::FLAG_ACK, "ACK"),
        (hot::FLAG_DELTA_ACK, "DELTA_ACK"),
    ];
    let document = document();
    for (flag, name) in flags {
        let row = format!("| 0x{flag:02x} | {name} |");
        assert!(
            section(&document, "## 3. Hot lane: binary").contains(&row),
            "{row}"
        );
    }
    let client = [
        (world::OPCODE_JOIN, "Join"),
        (world::OPCODE_LEAVE, "Leave"),
        (world::OPCODE_STEER, "Steer"),
        (world::OPCODE_MOVE, "Move"),
        (world::OPCODE_LOOK, "Look"),
        (world::OPCODE_INTEREST, "Interest"),
        (world::OPCODE_ACK, "Ack"),
        (world::OPCODE_OVERVIEW, "Overview"),
        (world::OPCODE_CUSTOM, "Custom"),
    ];
    check_opcodes("## 6. The world service: what a client says", &client);
    let server = [
        (world::OPCODE_S2C_DELTA, "Delta"),
        (world::OPCODE_S2C_OVERVIEW, "Overview"),
    ];
    check_opcodes("## 7. The world service: deltas", &server);
    let application = [
        (app::OPCODE_APP_MESSAGE, "Message"),
        (app::OPCODE_APP_REQUEST, "Request"),
        (app::OPCODE_APP_RESPONSE, "Response"),
        (app::OPCODE_APP_ACK, "Ack"),
        (app::OPCODE_APP_REJECT, "Reject"),
    ];
    let heading = "## 10. The application's messages and requests";
    check_opcodes(heading, &application);
    let kinds = [
        app::KIND_MESSAGE,
        app::KIND_REQUEST,
        app::KIND_RESPONSE,
        app::KIND_ACK,
        app::KIND_REJECT,
    ];
    let written: Vec<_> = rows(section(&document, heading))
        .iter()
        .map(|row| row[2])
        .collect();
    assert_eq!(written, kinds);
}

#[test]
fn error_codes_are_as_documented() {
    let document = document();
    let written: Vec<&str> = section(&document, "## 5. Errors")
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    assert_eq!(written, ErrorCode::ALL.map(ErrorCode::as_str));
}

fn golden(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden")
        .join(name);
    fs::read(path).expect("golden files are part of the crate")
}

#[test]
fn hex_dumps_are_the_golden_bytes() {
    let document = document();
    for name in ["delta_1_full.bin", "delta_2_change.bin", "overview.bin"] {
        let bytes = golden(name);
        let lines = bytes
            .chunks(16)
            .enumerate()
            .map(|(index, chunk)| format!("{:04x}  {}", index * 16, spaced(chunk)));
        let dump = lines.collect::<Vec<_>>().join("\n");
        assert!(
            document.contains(&format!("```text\n{dump}\n```")),
            "{name} is:\n{dump}"
        );
    }
}

/// Every row of example bytes in the document is a stored vector.
#[test]
fn example_bytes_are_golden_vectors() {
    let document = document();
    let examples: Vec<String> = document
        .lines()
        .filter_map(|line| line.strip_prefix("| `0")?.split('`').next())
        .map(|rest| format!("0{rest}").replace(' ', ""))
        .collect();
    assert!(examples.len() >= 9, "{examples:?}");
    let stored = [golden("hot_headers.json"), golden("client_messages.json")].concat();
    let stored = String::from_utf8(stored).expect("descriptions are text");
    for example in examples {
        assert!(
            stored.contains(&format!("\"{example}\"")),
            "{example} is no vector"
        );
    }
}

fn spaced(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}
