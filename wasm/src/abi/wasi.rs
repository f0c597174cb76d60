//! The few functions of WASI (`wasi_snapshot_preview1`) that standard libraries import on their own. There are no files,
//! arguments or variables behind them: two outputs that are the log, the time of the call, and the room's chance.

use wasmtime::{Caller, Linker};

use crate::error::Trap;
use crate::memory::{self, Span};
use crate::sandbox::Sandbox;

const MODULE: &str = "wasi_snapshot_preview1";

/// Answers of WASI.
const SUCCESS: u32 = 0;
const BADF: u32 = 8;
const INVAL: u32 = 28;

/// Both outputs are the log.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Pieces that one write may come in; with more it is refused.
const PIECES_MAX: u32 = 1_024;

/// Offers the functions.
pub(super) fn link(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    link_surroundings(linker)?;
    link_files(linker)
}

fn link_surroundings(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    for sizes in ["args_sizes_get", "environ_sizes_get"] {
        linker.func_wrap(
            MODULE,
            sizes,
            |mut caller: Caller<'_, Sandbox>, count: u32, bytes: u32| {
                put(&mut caller, count, &0_u32.to_le_bytes())?;
                put(&mut caller, bytes, &0_u32.to_le_bytes())
            },
        )?;
    }
    for list in ["args_get", "environ_get"] {
        linker.func_wrap(MODULE, list, |_list: u32, _bytes: u32| SUCCESS)?;
    }
    // All clocks are the room's.
    linker.func_wrap(
        MODULE,
        "clock_time_get",
        |mut caller: Caller<'_, Sandbox>, _clock: u32, _precision: u64, time: u32| {
            let now = caller.data().now_ns();
            put(&mut caller, time, &now.to_le_bytes())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "clock_res_get",
        |mut caller: Caller<'_, Sandbox>, _clock: u32, resolution: u32| {
            put(&mut caller, resolution, &1_u64.to_le_bytes())
        },
    )?;
    linker.func_wrap(
        MODULE,
        "random_get",
        |mut caller: Caller<'_, Sandbox>, address: u32, bytes: u32| {
            let (memory, sandbox) = memory::split(&mut caller)?;
            sandbox
                .chance
                .fill(Span::new(address, bytes).write(memory)?);
            Ok(SUCCESS)
        },
    )?;
    linker.func_wrap(MODULE, "sched_yield", || SUCCESS)?;
    linker.func_wrap(MODULE, "proc_exit", |code: i32| {
        wasmtime::Result::<()>::Err(Trap::Exit { code }.into())
    })?;
    Ok(())
}

fn link_files(linker: &mut Linker<Sandbox>) -> wasmtime::Result<()> {
    linker.func_wrap(MODULE, "fd_write", write)?;
    linker.func_wrap(MODULE, "fd_fdstat_get", status)?;
    linker.func_wrap(MODULE, "fd_close", |_file: u32| BADF)?;
    linker.func_wrap(MODULE, "fd_fdstat_set_flags", |_file: u32, _flags: u32| {
        BADF
    })?;
    linker.func_wrap(MODULE, "fd_filestat_get", |_file: u32, _status: u32| BADF)?;
    linker.func_wrap(MODULE, "fd_prestat_get", |_file: u32, _status: u32| BADF)?;
    linker.func_wrap(
        MODULE,
        "fd_prestat_dir_name",
        |_file: u32, _path: u32, _bytes: u32| BADF,
    )?;
    linker.func_wrap(
        MODULE,
        "fd_read",
        |_file: u32, _pieces: u32, _count: u32, _read: u32| BADF,
    )?;
    linker.func_wrap(
        MODULE,
        "fd_seek",
        |_file: u32, _offset: i64, _whence: u32, _at: u32| BADF,
    )?;
    Ok(())
}

/// A piece is an address and a length, 4 bytes each.
fn write(
    mut caller: Caller<'_, Sandbox>,
    file: u32,
    pieces: u32,
    count: u32,
    written: u32,
) -> wasmtime::Result<u32> {
    if file != STDOUT && file != STDERR {
        return Ok(BADF);
    }
    if count > PIECES_MAX {
        return Ok(INVAL);
    }
    let (memory, sandbox) = memory::split(&mut caller)?;
    let (list, _) = Span::new(pieces, count * 8).read(memory)?.as_chunks::<8>();
    let mut total = 0_u32;
    for &[a, b, c, d, e, f, g, h] in list {
        let bytes = u32::from_le_bytes([e, f, g, h]);
        let piece = Span::new(u32::from_le_bytes([a, b, c, d]), bytes);
        sandbox.write_log(piece.read(memory)?);
        total = total.saturating_add(bytes);
    }
    // What the log has no room for counts as written: a library that is told otherwise tries again for ever.
    put(&mut caller, written, &total.to_le_bytes())
}

/// The outputs are terminals, so that libraries flush them at each newline.
fn status(mut caller: Caller<'_, Sandbox>, file: u32, status: u32) -> wasmtime::Result<u32> {
    if file > STDERR {
        return Ok(BADF);
    }
    const CHARACTER_DEVICE: u8 = 2;
    const RIGHT_TO_WRITE: u64 = 1 << 6;
    let mut bytes = [0; 24];
    bytes[0] = CHARACTER_DEVICE;
    bytes[8..16].copy_from_slice(&RIGHT_TO_WRITE.to_le_bytes());
    put(&mut caller, status, &bytes)
}

/// Writes an answer where the guest wants it.
fn put(caller: &mut Caller<'_, Sandbox>, address: u32, answer: &[u8]) -> wasmtime::Result<u32> {
    let (memory, _) = memory::split(caller)?;
    // Answers are a few bytes.
    Span::new(address, answer.len() as u32)
        .write(memory)?
        .copy_from_slice(answer);
    Ok(SUCCESS)
}
