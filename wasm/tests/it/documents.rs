//! `docs/guests.md` against the crate: what its tables list is what a guest has.

use std::path::Path;

use worldshard_wasm::{Limits, ModuleError};

use crate::{host, module, own};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guests.md");
    std::fs::read_to_string(path).unwrap()
}

/// The rows of the table below a heading, cell by cell.
fn table(document: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = document.split_once(heading).unwrap();
    let lines = rest
        .lines()
        .skip_while(|line| !line.starts_with("|---"))
        .skip(1);
    let rows = lines.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        row.trim_matches('|')
            .split(" | ")
            .map(|cell| cell.trim().to_owned())
            .collect()
    })
    .collect()
}

/// What a cell quotes.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// A type such as `(member: i32) -> i32` in the words of WebAssembly's text.
fn in_text(kind: &str) -> String {
    let (params, result) = kind
        .split_once(" -> ")
        .map_or((kind, None), |(params, result)| (params, Some(result)));
    let params = params
        .trim_matches(['(', ')'])
        .split(", ")
        .filter(|param| !param.is_empty());
    let params: String = params
        .map(|param| format!(" {}", param.split_once(": ").unwrap().1))
        .collect();
    let result = result
        .map(|result| format!("(result {result})"))
        .unwrap_or_default();
    format!("(param{params}) {result}")
}

#[test]
fn every_import_that_is_listed_is_there_by_its_type() {
    let document = document();
    let rows = table(&document, "### What a module may import");
    assert_eq!(rows.len(), 15);
    for row in rows {
        let (name, kind) = (quoted(&row[0])[0], in_text(quoted(&row[1])[0]));
        let import = format!(r#"(import "worldshard" "{name}" (func {kind}))"#);
        module(&host(), &own(&import, "")).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn what_languages_import_is_there_by_its_name() {
    let document = document();
    let mut from = String::new();
    let rows = table(&document, "### What languages import");
    assert_eq!(rows.len(), 7);
    for row in rows {
        if let Some(other) = quoted(&row[0]).first() {
            from = (*other).to_owned();
        }
        for name in quoted(&row[1]) {
            let import = format!(r#"(import "{from}" "{name}" (func (param f32)))"#);
            let error = module(&host(), &own(&import, "")).unwrap_err();
            assert!(
                matches!(error, ModuleError::ImportType(_)),
                "{name} is there, by another type: {error}"
            );
        }
    }
}

#[test]
fn every_export_that_is_listed_is_taken_by_its_type_alone() {
    let document = document();
    let rows = table(&document, "### What a module exports");
    assert_eq!(rows.len(), 11);
    for row in &rows[2..] {
        let (name, kind) = (quoted(&row[0])[0], in_text(quoted(&row[1])[0]));
        let export = |kind: &str| own("", &format!(r#"(func (export "{name}") {kind})"#));
        module(&host(), &export(&kind)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(
            module(&host(), &export("(param f32)")).is_err(),
            "{name} is looked at"
        );
    }
}

#[test]
fn every_limit_is_listed_and_no_other() {
    let document = document();
    let rows = table(&document, "## Bounds");
    let listed: Vec<&str> = rows.iter().flat_map(|row| quoted(&row[0])).collect();
    let limits = format!("{:?}", Limits::default());
    let (_, fields) = limits.split_once("{ ").unwrap();
    let fields: Vec<&str> = fields
        .split(", ")
        .map(|field| field.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(listed, fields);
}

#[test]
fn the_service_in_the_document_is_the_one_that_the_library_compiles() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest/src/lib.rs");
    let library = std::fs::read_to_string(path).unwrap();
    let quoted: String = library
        .lines()
        .skip_while(|line| *line != "//! ```")
        .skip(1)
        .take_while(|line| *line != "//! ```")
        .map(|line| {
            let line = line.strip_prefix("//!").unwrap();
            format!("{}\n", line.strip_prefix(' ').unwrap_or(line))
        })
        .collect();
    assert!(quoted.contains("impl Service for Counter"), "{quoted}");
    let document = document();
    let (_, rest) = document.split_once("```rust\n").unwrap();
    assert_eq!(rest.split_once("```").unwrap().0, quoted);
}
