//! The two ways in which guests and hosts talk: our own, and that of Stateroom's guests. What a guest exports tells which.

use wasmtime::Linker;

use crate::error::ModuleError;
use crate::sandbox::Sandbox;

pub(crate) mod own;

pub(crate) mod stateroom;

mod wasi;

/// The version of our own ABI. A guest exports a function `worldshard_abi_1`, which is never called: the name is the version.
pub const ABI_VERSION: u32 = 1;

/// The version of Stateroom's ABI whose guests are hosted.
pub const STATEROOM_VERSION: i32 = 1;

/// The protocol of Stateroom's ABI whose guests are hosted: messages by bincode.
pub const STATEROOM_PROTOCOL: i32 = 0;

/// By which ABI a module talks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Abi {
    /// Our own.
    Worldshard,
    /// That of guests built for Stateroom 0.4.
    Stateroom,
}

impl Abi {
    /// Tells it by the module's exports; versions that the exports name are checked.
    pub(crate) fn of(module: &wasmtime::Module) -> Result<Self, ModuleError> {
        let mut own = module
            .exports()
            .filter_map(|export| export.name().strip_prefix(own::VERSION_PREFIX));
        let own = own.next();
        let is_stateroom = module.get_export(stateroom::RECV).is_some();
        match (own, is_stateroom) {
            (Some(guest), false) if guest != ABI_VERSION.to_string() => Err(ModuleError::Version {
                guest: guest.to_owned(),
            }),
            (Some(_), false) => Ok(Self::Worldshard),
            (None, true) => Ok(Self::Stateroom),
            (Some(_), true) | (None, false) => Err(ModuleError::NoAbi),
        }
    }

    /// Every function that a guest of this ABI may import.
    pub(crate) fn linker(self, engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Sandbox>> {
        let mut linker = Linker::new(engine);
        match self {
            Self::Worldshard => own::link(&mut linker)?,
            Self::Stateroom => stateroom::link(&mut linker)?,
        }
        wasi::link(&mut linker)?;
        Ok(linker)
    }
}
