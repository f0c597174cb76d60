//! What this machine allows: facts with causes and remedies, and the choice of a driver that follows from them.
//!
//! Changes nothing and keeps nothing open.

use std::fmt;
use std::str::FromStr;

use super::cores;
use crate::app::Runtime;
use crate::error::{Error, Result};

/// What this machine allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// In the order in which they decide.
    pub facts: Vec<Fact>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What was looked at.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// Whether glommio needs it to be so.
    pub needed_by_glommio: bool,
    /// What was found.
    pub found: String,
    /// What to change; empty when all is well.
    pub remedy: String,
}

/// The driver that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// io_uring by way of glommio.
    #[cfg(target_os = "linux")]
    Glommio,
    /// Readiness polling.
    Portable,
}

impl Chosen {
    /// As it is said on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_os = "linux")]
            Chosen::Glommio => "glommio",
            Chosen::Portable => "portable",
        }
    }
}

impl Probe {
    /// Looks at everything, for as many shards as there are usable cores.
    #[must_use]
    pub fn run() -> Probe {
        Probe::for_shards(cores::shards(0))
    }

    /// Looks at everything, for so many shards.
    #[must_use]
    pub fn for_shards(shards: u16) -> Probe {
        #[cfg(target_os = "linux")]
        let facts = vec![
            linux::io_uring(),
            linux::sysctl(),
            linux::locked_memory(shards),
            linux::cores(shards),
            linux::quota(shards),
            linux::open_files(),
        ];
        #[cfg(not(target_os = "linux"))]
        let facts = {
            let _ = shards;
            vec![Fact {
                name: "io_uring",
                ok: false,
                needed_by_glommio: true,
                found: "not Linux".to_owned(),
                remedy: "none: the portable runtime serves here".to_owned(),
            }]
        };
        Probe { facts }
    }

    /// Why glommio cannot run: the first fact against it.
    #[must_use]
    pub fn glommio_refused(&self) -> Option<&Fact> {
        self.facts
            .iter()
            .find(|fact| fact.needed_by_glommio && !fact.ok)
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.name, self.found)?;
        if !self.remedy.is_empty() {
            write!(out, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// Which driver runs `shards` shards, and why.
///
/// # Errors
/// When glommio was demanded and cannot run: the cause and its remedy.
pub fn choose(wish: Runtime, shards: u16) -> Result<(Chosen, String)> {
    if wish == Runtime::Portable {
        return Ok((Chosen::Portable, "asked for".to_owned()));
    }
    let probe = Probe::for_shards(shards);
    match (probe.glommio_refused(), wish) {
        (None, Runtime::Glommio) => Ok((glommio(), "asked for".to_owned())),
        (None, Runtime::Auto | Runtime::Portable) => {
            Ok((glommio(), "io_uring is allowed".to_owned()))
        }
        (Some(fact), Runtime::Glommio) => Err(Error::Runtime(format!(
            "the glommio runtime cannot run here: {fact}; or use --runtime portable"
        ))),
        (Some(fact), Runtime::Auto | Runtime::Portable) => Ok((Chosen::Portable, fact.to_string())),
    }
}

#[cfg(target_os = "linux")]
fn glommio() -> Chosen {
    Chosen::Glommio
}

#[cfg(not(target_os = "linux"))]
fn glommio() -> Chosen {
    Chosen::Portable
}

impl fmt::Display for Runtime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Runtime::Auto => "auto",
            Runtime::Glommio => "glommio",
            Runtime::Portable => "portable",
        })
    }
}

impl FromStr for Runtime {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Runtime, String> {
        match text {
            "auto" => Ok(Runtime::Auto),
            "glommio" => Ok(Runtime::Glommio),
            "portable" => Ok(Runtime::Portable),
            _ => Err(format!("{text:?} is no runtime: auto, glommio or portable")),
        }
    }
}

#[cfg(target_os = "linux")]
mod linux;
#[cfg(test)]
mod tests;
