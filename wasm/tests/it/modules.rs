//! Which modules are refused, and by which words.

use worldshard_wasm::{Host, Limits, Module, ModuleError};

use crate::{host, module, own};

fn refusal(text: &str) -> ModuleError {
    module(&host(), text).unwrap_err()
}

#[test]
fn another_version_is_refused_by_naming_both() {
    for guest in ["0", "2", "01", "x", ""] {
        let text = own("", "").replace("worldshard_abi_1", &format!("worldshard_abi_{guest}"));
        let error = refusal(&text);
        let guest = guest.to_owned();
        let words = error.to_string();
        assert!(
            words.contains(&format!("version {guest} of")) && words.contains("has version 1"),
            "{words}"
        );
        assert_eq!(error, ModuleError::Version { guest });
    }
}

#[test]
fn a_module_is_for_one_abi() {
    assert_eq!(refusal("(module)"), ModuleError::NoAbi);
    let both = own("", r#"(func (export "stateroom_recv") (param i32 i32))"#);
    assert_eq!(refusal(&both), ModuleError::NoAbi);
}

#[test]
fn an_export_that_is_called_must_be_of_its_type() {
    for (name, part) in [
        ("room_init", r#"(func (export "room_init") (param i32))"#),
        ("room_connect", r#"(func (export "room_connect"))"#),
        (
            "room_message",
            r#"(func (export "room_message") (param i32 i32 i32) (result i32) (i32.const 0))"#,
        ),
        ("room_tick", r#"(func (export "room_tick") (param i32))"#),
        (
            "room_timer",
            r#"(global (export "room_timer") i32 (i32.const 0))"#,
        ),
        (
            "_initialize",
            r#"(func (export "_initialize") (param i32))"#,
        ),
    ] {
        let error = refusal(&own("", part));
        assert!(
            matches!(&error, ModuleError::Export { name: wrong, .. } if wrong == name),
            "{name}: {error}"
        );
    }
    let error = refusal(r#"(module (func (export "worldshard_abi_1")))"#);
    assert!(
        matches!(&error, ModuleError::Export { name, .. } if name == "memory"),
        "{error}"
    );
}

#[test]
fn an_unknown_import_is_refused_by_its_name() {
    for (from, name, what) in [
        ("worldshard", "send", "(func)"),
        ("env", "stateroom_send", "(func (param i32 i32))"),
        ("wasi_snapshot_preview1", "path_open", "(func)"),
        ("wasi_snapshot_preview1", "sock_send", "(func)"),
        ("env", "table", "(table 1 funcref)"),
        ("", "", "(global i32)"),
    ] {
        let error = refusal(&own(&format!(r#"(import "{from}" "{name}" {what})"#), ""));
        let words = error.to_string();
        assert!(
            words.contains(&format!("`{name}` from `{from}`")),
            "{words}"
        );
        let (module, name) = (from.to_owned(), name.to_owned());
        assert_eq!(error, ModuleError::Import { module, name });
    }
    let error = refusal(&own(
        r#"(import "worldshard" "now" (func (result i32)))"#,
        "",
    ));
    assert!(
        matches!(&error, ModuleError::ImportType(cause) if cause.contains("now")),
        "{error}"
    );
}

#[test]
fn a_module_that_begins_with_too_much_is_refused() {
    let memory = |pages: u32| {
        own("", "").replace(
            r#"(memory (export "memory") 1)"#,
            &format!(r#"(memory (export "memory") {pages})"#),
        )
    };
    assert!(module(&host(), &memory(256)).is_ok());
    let error = refusal(&memory(257));
    assert!(
        matches!(
            error,
            ModuleError::Resources {
                what: "bytes of memory",
                wanted: 16_842_752,
                max: 16_777_216
            }
        ),
        "{error}"
    );
    assert!(matches!(
        refusal(&memory(65_536)),
        ModuleError::Resources { .. }
    ));
    assert!(module(&host(), &own("", "(table 10000 funcref)")).is_ok());
    assert!(matches!(
        refusal(&own("", "(table 10001 funcref)")),
        ModuleError::Resources {
            what: "elements of a table",
            ..
        }
    ));
    assert!(module(&host(), &own("", &"(table 1 funcref)".repeat(8))).is_ok());
    assert!(matches!(
        refusal(&own("", &"(table 1 funcref)".repeat(9))),
        ModuleError::Resources { what: "tables", .. }
    ));
}

#[test]
fn what_is_switched_off_is_not_valid() {
    for part in [
        "(memory 1)",
        "(memory i64 1)",
        "(memory 1 1 shared)",
        "(type (struct))",
        "(tag)",
    ] {
        let error = refusal(&own("", part));
        assert!(matches!(error, ModuleError::Invalid(_)), "{part}: {error}");
    }
}

#[test]
fn a_large_module_is_refused_unread() {
    let host = Host::new(Limits {
        module_bytes_max: 100,
        ..Limits::default()
    })
    .unwrap();
    let error = Module::new(&host, &[0; 101]).unwrap_err();
    assert_eq!(
        error,
        ModuleError::Large {
            bytes: 101,
            max: 100
        }
    );
    assert!(matches!(
        Module::new(&host, &[0; 100]),
        Err(ModuleError::Invalid(_))
    ));
}

#[test]
fn text_is_no_module() {
    let error = Module::new(&host(), own("", "").as_bytes()).unwrap_err();
    assert!(matches!(error, ModuleError::Invalid(_)), "{error}");
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let refused = |limits| matches!(Host::new(limits), Err(ModuleError::Host(_)));
    assert!(refused(Limits {
        epochs_per_call_max: 1,
        ..Limits::default()
    }));
    assert!(refused(Limits {
        epochs_per_call_max: u64::MAX,
        ..Limits::default()
    }));
    assert!(refused(Limits {
        stack_bytes_max: 0,
        ..Limits::default()
    }));
}
