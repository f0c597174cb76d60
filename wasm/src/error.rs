//! Why a module is refused, and how a guest dies. Never a panic: whatever a guest does is a value here.

use std::fmt;

use crate::abi::{ABI_VERSION, STATEROOM_PROTOCOL, STATEROOM_VERSION};

/// Why a module is refused. The text names the cause and what is wanted instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModuleError {
    /// The host cannot be made: the limits contradict each other, or the machine is not supported.
    Host(String),
    /// The module is larger than [`Limits::module_bytes_max`](crate::Limits::module_bytes_max).
    Large {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// It is no WebAssembly, or needs what is switched off: threads, several memories, garbage collection.
    Invalid(String),
    /// It exports what no ABI has, or what two have.
    NoAbi,
    /// It was built for another version of the ABI of worldshard.
    Version {
        /// Which.
        guest: String,
    },
    /// It was built for another version or protocol of Stateroom's ABI.
    StateroomVersion {
        /// Its version.
        version: i32,
        /// Its protocol.
        protocol: i32,
    },
    /// It lacks an export, or has it with another type.
    Export {
        /// The export's name.
        name: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// It wants a function that guests do not have.
    Import {
        /// The module it wants it from.
        module: String,
        /// The function's name.
        name: String,
    },
    /// It wants a function with another type than the function has.
    ImportType(String),
    /// It begins with more memory, tables or elements than guests may have.
    Resources {
        /// Of what.
        what: &'static str,
        /// How much it wants.
        wanted: u64,
        /// The limit.
        max: u64,
    },
}

impl fmt::Display for ModuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(cause) => write!(f, "guests cannot be hosted: {cause}"),
            Self::Large { bytes, max } => {
                write!(f, "the module has {bytes} bytes, at most {max} are allowed")
            }
            Self::Invalid(cause) => write!(f, "the module is not valid: {cause}"),
            Self::NoAbi => write!(
                f,
                "the module exports neither `worldshard_abi_{ABI_VERSION}` nor `stateroom_recv`, or both: it is for one ABI"
            ),
            Self::Version { guest } => write!(
                f,
                "the module is for version {guest} of the ABI, this host has version {ABI_VERSION}"
            ),
            Self::StateroomVersion { version, protocol } => write!(
                f,
                "the module is for version {version}, protocol {protocol} of Stateroom's ABI, this host has version \
                 {STATEROOM_VERSION}, protocol {STATEROOM_PROTOCOL}"
            ),
            Self::Export { name, wanted } => {
                write!(f, "the module must export `{name}` as {wanted}")
            }
            Self::Import { module, name } => {
                write!(
                    f,
                    "the module imports `{name}` from `{module}`, which guests do not have"
                )
            }
            Self::ImportType(cause) => {
                write!(f, "the module imports a function by another type: {cause}")
            }
            Self::Resources { what, wanted, max } => {
                write!(
                    f,
                    "the module begins with {wanted} {what}, at most {max} are allowed"
                )
            }
        }
    }
}

impl std::error::Error for ModuleError {}

/// How a guest died. It cannot be called again; what it wanted in its last call is not done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Trap {
    /// It died in an earlier call.
    Dead,
    /// It ran for [`Limits::epochs_per_call_max`](crate::Limits::epochs_per_call_max) epochs.
    Deadline,
    /// It took [`Limits::fuel_per_call_max`](crate::Limits::fuel_per_call_max) steps.
    Fuel,
    /// It did what WebAssembly forbids: unreachable code, an access outside its memory, recursion too deep, and the like.
    Fault(String),
    /// It gave an address or a length that is not in its memory.
    Pointer {
        /// The address.
        address: u32,
        /// Bytes from there on.
        bytes: u64,
    },
    /// It gave an argument that its function does not take.
    Argument(&'static str),
    /// It gave bytes that are not UTF-8 as text.
    Text,
    /// It gave bytes that are no message of Stateroom's.
    Stateroom(&'static str),
    /// It wanted more than a limit allows.
    Limit {
        /// The limit's name in [`Limits`](crate::Limits).
        limit: &'static str,
        /// Its value.
        max: usize,
    },
    /// It ended itself.
    Exit {
        /// By this code.
        code: i32,
    },
    /// It failed an assertion of its language.
    Abort {
        /// The line in its source.
        line: u32,
        /// The column.
        column: u32,
    },
    /// The host could not make or run it: no memory for it, for one.
    Host(String),
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dead => write!(f, "the guest died earlier"),
            Self::Deadline => write!(f, "the guest ran for too long"),
            Self::Fuel => write!(f, "the guest took too many steps"),
            Self::Fault(cause) => write!(f, "the guest failed: {cause}"),
            Self::Pointer { address, bytes } => {
                write!(
                    f,
                    "the guest named {bytes} bytes at {address}, which are not in its memory"
                )
            }
            Self::Argument(what) => write!(f, "the guest gave a wrong argument: {what}"),
            Self::Text => write!(f, "the guest gave text that is not UTF-8"),
            Self::Stateroom(what) => write!(
                f,
                "the guest sent what is no message of Stateroom's: {what}"
            ),
            Self::Limit { limit, max } => {
                write!(f, "the guest went beyond {limit}, which is {max}")
            }
            Self::Exit { code } => write!(f, "the guest ended itself by code {code}"),
            Self::Abort { line, column } => {
                write!(f, "the guest aborted at line {line}, column {column}")
            }
            Self::Host(cause) => write!(f, "the guest cannot be run: {cause}"),
        }
    }
}

impl std::error::Error for Trap {}

impl From<wasmtime::Error> for Trap {
    fn from(error: wasmtime::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(trap) => return trap,
            Err(error) => error,
        };
        match error.downcast_ref::<wasmtime::Trap>() {
            Some(wasmtime::Trap::Interrupt) => Self::Deadline,
            Some(wasmtime::Trap::OutOfFuel) => Self::Fuel,
            Some(trap) => Self::Fault(format!("{trap}{}", place(&error))),
            None => Self::Host(format!("{error:#}")),
        }
    }
}

/// Where in the guest it happened, when its functions have names.
fn place(error: &wasmtime::Error) -> String {
    let frames = error.downcast_ref::<wasmtime::WasmBacktrace>();
    let frame = frames.and_then(|trace| trace.frames().first());
    let name = frame.and_then(wasmtime::FrameInfo::func_name);
    name.map(|name| format!(", in `{name}`"))
        .unwrap_or_default()
}
