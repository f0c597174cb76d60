//! A project: what `worldshard.toml` says of its service, its client and its files. Builds them; never serves.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::failure::Failure;

/// A folder with a `worldshard.toml`.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    pub(crate) folder: PathBuf,
    pub(crate) file: ProjectFile,
}

/// What the file says. Paths are from its folder on.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectFile {
    pub(crate) service: ServiceTable,
    pub(crate) client: Option<ClientTable>,
    #[serde(rename = "static")]
    pub(crate) files: Option<StaticTable>,
}

/// What runs in rooms: a package of cargo's, or any module and what makes it.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceTable {
    /// A package whose library is the module; built by cargo for wasm32.
    package: Option<String>,
    /// Where the module is, once it is built.
    module: Option<PathBuf>,
    /// The command that builds it: program and arguments.
    build: Option<Vec<String>>,
    /// A file that each guest can read.
    pub(crate) config: Option<PathBuf>,
}

/// What runs in pages.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientTable {
    build: Option<Vec<String>>,
    /// The folder that is served at /client once it is built.
    pub(crate) folder: PathBuf,
}

/// Files that are served as they are.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct StaticTable {
    pub(crate) folder: PathBuf,
}

impl Project {
    /// Reads the file of a folder.
    ///
    /// # Errors
    /// Names file, line and column of what it cannot mean.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(FILE);
        let refuse = |at: &str, what: &str| {
            let path = path.display();
            Failure::usage(format!("{path}{at}: {what}"))
        };
        let text =
            std::fs::read_to_string(&path).map_err(|error| refuse("", &error.to_string()))?;
        let file: ProjectFile = toml::from_str(&text).map_err(|error| {
            let at = error.span().map(|span| place(&text, &span));
            refuse(&at.unwrap_or_default(), error.message())
        })?;
        let service = &file.service;
        match (&service.package, &service.module) {
            (Some(_), None) if service.build.is_none() => {}
            (None, Some(_)) => {}
            _ => {
                let rule = "[service] has either package, or module and what builds it";
                return Err(refuse("", rule));
            }
        }
        let empty = |build: &Option<Vec<String>>| build.as_ref().is_some_and(Vec::is_empty);
        let client = file.client.as_ref();
        if empty(&service.build) || client.is_some_and(|client| empty(&client.build)) {
            return Err(refuse("", "build names no program"));
        }
        let folder = folder.to_owned();
        Ok(Self { folder, file })
    }

    /// Where the module is, once it is built.
    pub(crate) fn module(&self) -> PathBuf {
        let service = &self.file.service;
        match (&service.module, &service.package) {
            (Some(module), _) => self.folder.join(module),
            (None, package) => {
                let name = package.as_deref().unwrap_or_default().replace('-', "_");
                self.folder
                    .join(format!("target/{TARGET}/release/{name}.wasm"))
            }
        }
    }

    /// Whether something must run for the module to be there.
    pub(crate) fn is_built(&self) -> bool {
        self.file.service.package.is_some() || self.file.service.build.is_some()
    }

    /// Builds the module.
    pub(crate) fn build_service(&self) -> Result<(), Failure> {
        let service = &self.file.service;
        if let Some(package) = &service.package {
            let cargo = [
                "cargo",
                "build",
                "--release",
                "--target",
                TARGET,
                "--target-dir",
                "target",
                "--package",
            ];
            let line = cargo.iter().copied().chain([package.as_str()]);
            return self.run(&line.map(str::to_owned).collect::<Vec<_>>());
        }
        service
            .build
            .as_deref()
            .map_or(Ok(()), |line| self.run(line))
    }

    /// Builds the client, if there is one.
    pub(crate) fn build_client(&self) -> Result<(), Failure> {
        let client = self.file.client.as_ref();
        let build = client.and_then(|client| client.build.as_deref());
        build.map_or(Ok(()), |line| self.run(line))
    }

    /// Runs a command in the project's folder. What it says goes to stderr: stdout is for what was asked for.
    fn run(&self, line: &[String]) -> Result<(), Failure> {
        let [program, arguments @ ..] = line else {
            return Ok(());
        };
        let failed = |how: String| Failure::runtime(format!("`{}`: {how}", line.join(" ")));
        let status = Command::new(program)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .status()
            .map_err(|error| failed(error.to_string()))?;
        match status.success() {
            true => Ok(()),
            false => Err(failed(status.to_string())),
        }
    }
}

/// `:line:column` of where something begins, both from 1 on.
fn place(text: &str, span: &Range<usize>) -> String {
    let before = text.get(..span.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default();
    format!(":{line}:{}", column.chars().count() + 1)
}

/// The file that makes a folder a project.
pub(crate) const FILE: &str = "worldshard.toml";

const TARGET: &str = "wasm32-unknown-unknown";

pub(crate) const EXAMPLES: &str = r#"The project file, worldshard.toml; all but [service] may be left out:
  [service]
  package = "counter"        a package of cargo's, built for wasm32-unknown-unknown. Or, in any language:
  module = "build/counter.wasm"
  build = ["npm", "run", "build"]
  config = "settings.json"   what each guest can read
  [client]
  folder = "client/pkg"      served at /client
  build = ["wasm-pack", "build", "client", "--target", "web"]
  [static]
  folder = "static"          served at /

Examples:
  worldshard dev                 at http://127.0.0.1:8080/, until ctrl-c
  worldshard build && worldshard serve dist"#;
