//! A module, compiled and checked once, shared by all rooms that run it. Never runs it.

use std::fmt;
use std::sync::Arc;

use wasmtime::{ExternType, FuncType, InstancePre, Linker, Store, UnknownImportError, ValType};

use crate::abi::{Abi, STATEROOM_PROTOCOL, STATEROOM_VERSION, own, stateroom};
use crate::error::{ModuleError, Trap};
use crate::guest::GuestConfig;
use crate::host::Host;
use crate::limits::{Limits, TABLES_MAX};
use crate::memory::Span;
use crate::sandbox::Sandbox;

/// A service that guests are made of. Copies of it are the same module, on any thread.
#[derive(Clone)]
pub struct Module {
    pub(crate) host: Host,
    pub(crate) prepared: InstancePre<Sandbox>,
    abi: Abi,
    saves: bool,
    loads: bool,
}

impl Module {
    /// Compiles a module, and checks that guests of it can be made: its ABI's version, its exports, its imports, and what
    /// it begins with. Takes about a millisecond for each kilobyte. None of its code runs.
    ///
    /// # Errors
    /// When anything of it is not as wanted.
    pub fn new(host: &Host, bytes: &[u8]) -> Result<Self, ModuleError> {
        let max = host.limits.module_bytes_max;
        if bytes.len() > max {
            let bytes = bytes.len();
            return Err(ModuleError::Large { bytes, max });
        }
        let invalid = |error: wasmtime::Error| ModuleError::Invalid(format!("{error:#}"));
        let module = wasmtime::Module::from_binary(&host.engine, bytes).map_err(invalid)?;
        let abi = Abi::of(&module)?;
        check_resources(&module, &host.limits)?;
        check_exports(&module, abi)?;
        let linker = abi
            .linker(&host.engine)
            .map_err(|error| ModuleError::Host(format!("{error:#}")))?;
        let prepared = prepare(&linker, &module)?;
        if abi == Abi::Stateroom {
            check_stateroom_version(host, &prepared)?;
        }
        Ok(Self {
            host: host.clone(),
            prepared,
            abi,
            saves: module.get_export(own::SAVE).is_some(),
            loads: module.get_export(own::LOAD).is_some(),
        })
    }

    /// By which ABI it talks.
    #[must_use]
    pub fn abi(&self) -> Abi {
        self.abi
    }

    /// Whether guests of it can hand over their state.
    #[must_use]
    pub fn saves(&self) -> bool {
        self.saves && self.abi == Abi::Worldshard
    }

    /// Whether guests of it can go on from another's state.
    #[must_use]
    pub fn loads(&self) -> bool {
        self.loads && self.abi == Abi::Worldshard
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module")
            .field("abi", &self.abi)
            .finish_non_exhaustive()
    }
}

fn check_resources(module: &wasmtime::Module, limits: &Limits) -> Result<(), ModuleError> {
    const PAGE_BYTES: u64 = 64 << 10;
    let wants = module.resources_required();
    let memory = wants
        .max_initial_memory_size
        .unwrap_or(0)
        .saturating_mul(PAGE_BYTES);
    for (what, wanted, max) in [
        ("bytes of memory", memory, limits.memory_bytes_max as u64),
        ("tables", u64::from(wants.num_tables), u64::from(TABLES_MAX)),
        (
            "elements of a table",
            wants.max_initial_table_size.unwrap_or(0),
            limits.table_elements_max as u64,
        ),
    ] {
        if wanted > max {
            return Err(ModuleError::Resources { what, wanted, max });
        }
    }
    Ok(())
}

/// What the ABI calls must be there, and all that it may call must be of the type it is called by.
fn check_exports(module: &wasmtime::Module, abi: Abi) -> Result<(), ModuleError> {
    let wrong = |name: &str, wanted| {
        let name = name.to_owned();
        Err(ModuleError::Export { name, wanted })
    };
    if !matches!(module.get_export("memory"), Some(ExternType::Memory(_))) {
        return wrong("memory", "a memory");
    }
    let (required, optional) = match abi {
        Abi::Worldshard => (&[][..], own::HANDLERS),
        Abi::Stateroom => (stateroom::FUNCTIONS, &[][..]),
    };
    for (name, params, results, wanted) in required {
        match module.get_export(name) {
            Some(ExternType::Func(found)) if is(&found, params, results) => {}
            _ => return wrong(name, wanted),
        }
    }
    for (name, params, results, wanted) in optional.iter().chain(INITIALIZE) {
        match module.get_export(name) {
            None => {}
            Some(ExternType::Func(found)) if is(&found, params, results) => {}
            Some(_) => return wrong(name, wanted),
        }
    }
    Ok(())
}

/// A function by name, parameters and results, and the same in words.
pub(crate) type Signature = (
    &'static str,
    &'static [ValType],
    &'static [ValType],
    &'static str,
);

/// What libraries of languages have called before anything else.
pub(crate) const INITIALIZER: &str = "_initialize";
const INITIALIZE: &[Signature] = &[(INITIALIZER, &[], &[], "a function without arguments")];

fn is(found: &FuncType, params: &[ValType], results: &[ValType]) -> bool {
    let same = |found: &ValType, wanted: &ValType| ValType::eq(found, wanted);
    found.params().len() == params.len()
        && found.results().len() == results.len()
        && found
            .params()
            .zip(params)
            .all(|(found, wanted)| same(&found, wanted))
        && found
            .results()
            .zip(results)
            .all(|(found, wanted)| same(&found, wanted))
}

/// Joins a module to the host's functions: those it imports must be there, by the types it imports them by.
fn prepare(
    linker: &Linker<Sandbox>,
    module: &wasmtime::Module,
) -> Result<InstancePre<Sandbox>, ModuleError> {
    let refused = |error: wasmtime::Error| match error.downcast_ref::<UnknownImportError>() {
        Some(import) => ModuleError::Import {
            module: import.module().to_owned(),
            name: import.name().to_owned(),
        },
        None => ModuleError::ImportType(format!("{error:#}")),
    };
    linker.instantiate_pre(module).map_err(refused)
}

/// Reads the two numbers that a guest of Stateroom has in its memory, from an instance that runs nothing.
fn check_stateroom_version(
    host: &Host,
    prepared: &InstancePre<Sandbox>,
) -> Result<(), ModuleError> {
    let sandbox = Sandbox::new(Arc::clone(&host.limits), GuestConfig::default());
    let mut store = Store::new(&host.engine, sandbox);
    store.limiter(|sandbox| &mut sandbox.store_limits);
    // The deadline has passed when it begins, so that a function that starts with the instance is stopped at once.
    store.set_epoch_deadline(0);
    if host.limits.fuel_per_call_max.is_some() {
        store
            .set_fuel(0)
            .map_err(|error| ModuleError::Host(format!("{error:#}")))?;
    }
    let instance = prepared
        .instantiate(&mut store)
        .map_err(|error| stopped(&Trap::from(error)))?;
    let mut read = |name: &'static str| {
        let wanted = "the address of a 32-bit number, as a global";
        let wrong = || ModuleError::Export {
            name: name.to_owned(),
            wanted,
        };
        let global = instance.get_global(&mut store, name).ok_or_else(wrong)?;
        let address = global.get(&mut store).i32().ok_or_else(wrong)?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(wrong)?;
        let bytes = Span::new(address.cast_unsigned(), 4)
            .read(memory.data(&store))
            .map_err(|_| wrong())?;
        Ok(i32::from_le_bytes(bytes.try_into().map_err(|_| wrong())?))
    };
    let version = read(stateroom::VERSION)?;
    let protocol = read(stateroom::PROTOCOL)?;
    if (version, protocol) != (STATEROOM_VERSION, STATEROOM_PROTOCOL) {
        return Err(ModuleError::StateroomVersion { version, protocol });
    }
    Ok(())
}

/// Why an instance that runs nothing could not be made.
fn stopped(trap: &Trap) -> ModuleError {
    if !matches!(trap, Trap::Deadline | Trap::Fuel) {
        return ModuleError::Invalid(trap.to_string());
    }
    let name = stateroom::VERSION.to_owned();
    let wanted =
        "a number that can be read before anything runs: the module may have no start function";
    ModuleError::Export { name, wanted }
}
