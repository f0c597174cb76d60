//! The servers of others: where their sources are, and how they are built. Never starts one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;

use super::child::{Child, Ended, Place};
use super::contenders::{By, CONTENDERS, Kind};

/// What could be built, and why the rest could not.
#[derive(Clone, Debug, Default)]
pub struct Built {
    programs: BTreeMap<String, PathBuf>,
    scripts: Option<PathBuf>,
    why_no_scripts: String,
}

impl Built {
    pub(crate) fn program(&self, name: &str) -> Result<PathBuf, String> {
        let found = self.programs.get(name).cloned();
        found.ok_or_else(|| "it could not be built".to_owned())
    }

    pub(crate) fn script(&self, name: &str) -> Result<String, String> {
        let folder = self
            .scripts
            .as_ref()
            .ok_or_else(|| self.why_no_scripts.clone())?;
        Ok(folder.join(name).display().to_string())
    }
}

/// The folder with the peers' sources, if `from` is inside a checkout.
#[must_use]
pub fn folder(from: &Path) -> Option<PathBuf> {
    let folders = from.ancestors().map(|folder| folder.join("bench/peers"));
    folders
        .into_iter()
        .find(|folder| folder.join("Cargo.toml").is_file())
}

/// Builds those of the named contenders that are peers; what that says goes to this process's stderr.
///
/// # Errors
/// The user stopped it, or nothing could be built at all.
pub fn build(folder: &Path, names: &[&str], stop: &AtomicBool) -> Result<Built, Ended> {
    let wanted = |by: By| {
        let is_by = |kind: Kind| matches!(kind, Kind::Peer(peer) if peer.by == by);
        let mut all = CONTENDERS.iter().filter(|contender| is_by(contender.kind));
        all.any(|contender| names.contains(&contender.name))
    };
    let mut built = Built::default();
    if wanted(By::Cargo) {
        built.programs = cargo(folder, stop)?;
    }
    if wanted(By::Node) {
        match npm(&folder.join("node"), stop) {
            Ok(()) => built.scripts = Some(folder.join("node")),
            Err(Ended::Failed(why)) => built.why_no_scripts = why,
            Err(Ended::Interrupted) => return Err(Ended::Interrupted),
        }
    }
    Ok(built)
}

/// Goes on with the others when one does not build. All at once: what they share is then built once, always the same.
fn cargo(folder: &Path, stop: &AtomicBool) -> Result<BTreeMap<String, PathBuf>, Ended> {
    let manifest = folder.join("Cargo.toml").display().to_string();
    let mut words = vec!["build", "--release", "--locked", "--keep-going"];
    words.extend([
        "--message-format",
        "json-render-diagnostics",
        "--manifest-path",
        &manifest,
    ]);
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Child::start(Path::new(&cargo), &words, Place::default())?;
    let (_, said) = cargo.output(BUILD_WITHIN, stop)?;
    let mut programs = BTreeMap::new();
    for message in said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
    {
        if let (Some(name), Some(program)) = (
            message["target"]["name"].as_str(),
            message["executable"].as_str(),
        ) {
            programs.insert(name.to_owned(), PathBuf::from(program));
        }
    }
    Ok(programs)
}

/// Installs exactly what the lock names, unless that is there already.
fn npm(folder: &Path, stop: &AtomicBool) -> Result<(), Ended> {
    let changed = |name: &str| std::fs::metadata(folder.join(name))?.modified();
    let installed = changed("node_modules/.package-lock.json");
    if let (Ok(installed), Ok(wanted)) = (installed, changed("package-lock.json"))
        && installed >= wanted
    {
        return Ok(());
    }
    let place = Place {
        folder: Some(folder),
        ..Place::default()
    };
    // `npm ci` refuses a lock without optional packages of other platforms, which not every registry has.
    let words = ["install", "--no-save", "--omit=optional", "--silent"];
    let npm = Child::start(Path::new("npm"), &words, place);
    let mut npm = npm.map_err(|why| match why {
        Ended::Failed(why) => Ended::Failed(format!("node and npm are needed: {why}")),
        Ended::Interrupted => Ended::Interrupted,
    })?;
    let (status, _) = npm.output(BUILD_WITHIN, stop)?;
    if status.success() {
        return Ok(());
    }
    Err(Ended::Failed(format!("npm install: {status}")))
}

/// Beyond, something hangs.
const BUILD_WITHIN: Duration = Duration::from_secs(1800);
