//! Reads a file: into values, and into a table of where each of them stands. Never looks at another layer.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{Location, Options, Spanned};

use super::Config;
use crate::failure::Failure;

/// What a file says, and where.
pub(crate) struct Read {
    pub(crate) config: Config,
    pub(crate) places: Places,
}

/// Where in a file each key's value stands.
pub(crate) struct Places {
    file: PathBuf,
    text: String,
    lines: BTreeMap<String, (u64, u64)>,
}

/// Reads a file strictly.
///
/// # Errors
/// It cannot be read; or names the line, the column and what is wanted there.
pub(crate) fn file(path: &Path) -> Result<Read, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
    let config: Config = serde_saphyr::from_str(&text).map_err(|error| {
        let at = error.location();
        let (line, column) = at.map_or((1, 1), |at| (at.line(), at.column()));
        refused(path, &text, (line, column), &plain(&error))
    })?;
    let mut lines = BTreeMap::new();
    // Here a value has no key that says how it is meant: `.inf` may be a text.
    let mut options = Options::default();
    options.non_finite_float_policy = NonFiniteFloatPolicy::AsString;
    let node = serde_saphyr::from_str_with_options::<Spanned<Node>>(&text, options);
    // Without places the beginning of the file is named.
    if let Ok(node) = node {
        note(String::new(), &node, &mut lines);
    }
    let file = path.to_owned();
    let places = Places { file, text, lines };
    Ok(Read { config, places })
}

impl Places {
    /// What is wrong with a key's value, with its place, or that of the section where it would stand.
    pub(crate) fn refused(&self, key: &str, why: &str) -> Failure {
        let mut at = key;
        let place = loop {
            if let Some(&place) = self.lines.get(at) {
                break place;
            }
            match at.rfind(['.', '[']) {
                Some(end) => at = &at[..end],
                None => break (1, 1),
            }
        };
        refused(&self.file, &self.text, place, &format!("{key}: {why}"))
    }
}

/// The message without its place, which stands before it.
fn plain(error: &serde_saphyr::Error) -> String {
    let mut text = error.without_snippet().to_string();
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    text
}

/// `file:line:column: why`, as compilers say it, and the line with a caret.
fn refused(file: &Path, text: &str, (line, column): (u64, u64), why: &str) -> Failure {
    let said = text.lines().nth(line as usize - 1).unwrap_or_default();
    let file = file.display();
    let number = line.to_string();
    let (gutter, before) = (" ".repeat(number.len()), " ".repeat(column as usize - 1));
    Failure::usage(format!(
        "{file}:{line}:{column}: {why}\n{gutter} |\n{number} | {said}\n{gutter} | {before}^"
    ))
}

/// A part of a document, of which only the shape counts.
enum Node {
    Map(Vec<(String, Spanned<Self>)>),
    List(Vec<Spanned<Self>>),
    Leaf,
}

fn note(key: String, node: &Spanned<Node>, lines: &mut BTreeMap<String, (u64, u64)>) {
    let place = |at: Location| (at.line(), at.column());
    match &node.value {
        Node::Leaf => {}
        Node::Map(entries) => {
            for (name, inner) in entries {
                let dot = if key.is_empty() { "" } else { "." };
                note(format!("{key}{dot}{name}"), inner, lines);
            }
        }
        Node::List(entries) => {
            for (index, inner) in entries.iter().enumerate() {
                note(format!("{key}[{index}]"), inner, lines);
            }
        }
    }
    lines.insert(key, place(node.referenced));
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Shape)
    }
}

struct Shape;

impl<'de> Visitor<'de> for Shape {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Leaf)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
        }
        Ok(Node::List(entries))
    }
}
