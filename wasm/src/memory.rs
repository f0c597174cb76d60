//! Reads and writes a guest's memory, which may say anything. Every address and length comes from the guest.

use wasmtime::{Caller, Memory};

use crate::error::Trap;
use crate::sandbox::{Sandbox, at_most};

/// Bytes of a guest's memory as it named them.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    address: u32,
    bytes: u32,
}

impl Span {
    /// Both numbers are unsigned, whatever the guest's language calls them.
    pub(crate) fn new(address: u32, bytes: u32) -> Self {
        Self { address, bytes }
    }

    /// As [`new`](Self::new), of so many bytes as a limit allows.
    pub(crate) fn within(
        address: u32,
        bytes: u32,
        limit: &'static str,
        max: usize,
    ) -> Result<Self, Trap> {
        at_most(limit, bytes as usize, max)?;
        Ok(Self { address, bytes })
    }

    /// The bytes, if all of them are in the memory.
    pub(crate) fn read(self, memory: &[u8]) -> Result<&[u8], Trap> {
        let start = self.address as usize;
        let rest = memory.get(start..).ok_or_else(|| self.outside())?;
        rest.get(..self.bytes as usize)
            .ok_or_else(|| self.outside())
    }

    /// As [`read`](Self::read), to write to.
    pub(crate) fn write(self, memory: &mut [u8]) -> Result<&mut [u8], Trap> {
        let start = self.address as usize;
        let rest = memory.get_mut(start..).ok_or_else(|| self.outside())?;
        rest.get_mut(..self.bytes as usize)
            .ok_or_else(|| self.outside())
    }

    /// The bytes as text.
    pub(crate) fn text(self, memory: &[u8]) -> Result<&str, Trap> {
        std::str::from_utf8(self.read(memory)?).map_err(|_| Trap::Text)
    }

    fn outside(self) -> Trap {
        Trap::Pointer {
            address: self.address,
            bytes: u64::from(self.bytes),
        }
    }
}

/// The memory and the sandbox of the guest that calls.
pub(crate) fn split<'a>(
    caller: &'a mut Caller<'_, Sandbox>,
) -> Result<(&'a mut [u8], &'a mut Sandbox), Trap> {
    let memory = of(caller)?;
    Ok(memory.data_and_store_mut(caller))
}

/// A guest that calls while it is being made has its memory looked up by name.
fn of(caller: &mut Caller<'_, Sandbox>) -> Result<Memory, Trap> {
    let memory = caller.data().memory;
    let named = || caller.get_export("memory")?.into_memory();
    memory
        .or_else(named)
        .ok_or(Trap::Argument("it has no memory"))
}
