use crate::clock;

use super::*;

#[test]
fn cpu_time_and_memory_of_a_process_are_those_that_it_used() {
    let pid = std::process::id();
    let (before, busy_before) = (Usage::of(pid).unwrap(), clock::process_busy());
    let memory = vec![1_u8; 32 << 20];
    while clock::process_busy() - busy_before < Duration::from_millis(200) {
        std::hint::spin_loop();
    }
    let after = Usage::of(pid).unwrap();
    let used = after.cpu_since(&before);
    let busy = clock::process_busy() - busy_before;
    assert!(
        used.abs_diff(busy) < Duration::from_millis(100),
        "{used:?} of {busy:?}"
    );
    let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
    assert!(grown >= memory.len() as u64 / 2, "{grown} bytes");
    assert!(after.proportional_bytes > 0);
}

#[test]
fn a_process_that_is_not_there_has_no_usage() {
    assert!(Usage::of(u32::MAX).is_err());
}
