//! `worldshard build`: a project's parts in one folder, as `serve` takes them. Never leaves half of one there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use worldshard_wasm::{Host, Limits};

use crate::failure::{Failure, say};
use crate::guests;
use crate::project::Project;

#[derive(Args, Debug)]
pub(crate) struct BuildArgs {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
}

/// Builds; says where to.
pub(crate) fn run(args: &BuildArgs) -> Result<(), Failure> {
    let project = Project::read(&args.project)?;
    project.build_service()?;
    let host = Host::new(Limits::default()).map_err(|error| Failure::runtime(error.to_string()))?;
    let module = project.module();
    // What cannot be served is not worth a folder.
    guests::module(&host, &module)?;
    project.build_client()?;
    let dist = project.folder.join(DIST);
    let failed = |error: io::Error| Failure::runtime(format!("{}: {error}", dist.display()));
    if dist.exists() && !dist.join(MODULE).is_file() {
        let dist = dist.display();
        return Err(Failure::usage(format!(
            "{dist}: no build of before, as it has no {MODULE}; it is left as it is"
        )));
    }
    let next = project.folder.join(format!("{DIST}.next"));
    lay_out(&project, &module, &next).map_err(failed)?;
    if dist.exists() {
        fs::remove_dir_all(&dist).map_err(failed)?;
    }
    fs::rename(&next, &dist).map_err(failed)?;
    say(&format!("{}\n", dist.display()))
}

/// Copies what is served into a folder that is new.
fn lay_out(project: &Project, module: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    let bytes = match module
        .extension()
        .is_some_and(|extension| extension == "wat")
    {
        true => wat::parse_file(module).map_err(io::Error::other)?,
        false => fs::read(module)?,
    };
    fs::write(to.join(MODULE), bytes)?;
    if let Some(files) = &project.file.files {
        copy(&project.folder.join(&files.folder), &to.join("static"), 0)?;
    }
    if let Some(client) = &project.file.client {
        let from = project.folder.join(&client.folder);
        copy(&from, &to.join("static/client"), 0)?;
    }
    Ok(())
}

/// Copies files and folders; links are followed, to a depth.
fn copy(from: &Path, to: &Path, depth: u32) -> io::Result<()> {
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", from.display()));
    if depth > DEPTH_MAX {
        return Err(named(io::Error::other("folders too deep")));
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).map_err(named)? {
        let entry = entry.map_err(named)?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match from.is_dir() {
            true => copy(&from, &to, depth + 1)?,
            false => drop(fs::copy(&from, &to).map_err(named)?),
        }
    }
    Ok(())
}

const DIST: &str = "dist";

const MODULE: &str = "server.wasm";

/// A folder deeper than that is a link to one above it.
const DEPTH_MAX: u32 = 32;
