//! What a guest may use, and what becomes of one that wants more.

/// The bounds of every guest of one [`Host`](crate::Host).
///
/// "Traps" means that the call ends with a [`Trap`](crate::Trap), nothing of it takes effect, and the guest is dead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Guests that live at a time. One more is not made. A guest takes four mappings of the kernel's, which allows a process
    /// 65,530 (`vm.max_map_count`); a process that has none left cannot allocate any more.
    pub guests_max: usize,
    /// Bytes of a module as it is on disk. A larger one is refused.
    pub module_bytes_max: usize,
    /// Bytes of a guest's memory. Growing beyond is answered with -1, which most languages turn into a trap; a module that
    /// begins with more is refused.
    pub memory_bytes_max: usize,
    /// Elements of each of a guest's tables. Growing beyond is answered with -1; a module that begins with more is refused.
    pub table_elements_max: usize,
    /// Bytes of the host's stack that a guest's calls may take. Recursion beyond traps. The driver's threads need this
    /// much and what they need themselves.
    pub stack_bytes_max: usize,
    /// Epochs after which a call traps: it has had at least one less, and at most as many. At least 2. Where a
    /// [thread counts them](crate::Host::counting), as much time of the call's own thread, so exactly as epochs are counted.
    pub epochs_per_call_max: u64,
    /// Steps of WebAssembly, about one for each instruction, after which a call traps: always at the same one, which epochs
    /// do not promise. `None`: they are not counted.
    pub fuel_per_call_max: Option<u64>,
    /// Effects of one call. One more traps.
    pub effects_per_call_max: usize,
    /// Bytes of all effects of one call: payloads, names, reasons, and four for each member of a group. More traps.
    pub effect_bytes_per_call_max: usize,
    /// Bytes of one payload that a guest sends. A longer one traps.
    pub payload_bytes_max: usize,
    /// Bytes of one message that a room tells its guest. The guest is not told of a longer one: the connection of who sent
    /// it is closed by 1009.
    pub message_bytes_max: usize,
    /// Bytes of a timer's name. A longer one traps.
    pub timer_name_bytes_max: usize,
    /// Bytes of the reason of a kick, which must fit into a frame of WebSocket that closes. A longer one traps.
    pub reason_bytes_max: usize,
    /// Bytes that a guest logs in one call. What is beyond is lost, and a line says so.
    pub log_bytes_per_call_max: usize,
    /// Bytes of the state that a guest hands over. More traps.
    pub state_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            guests_max: 8_192,
            module_bytes_max: 8 << 20,
            memory_bytes_max: 16 << 20,
            table_elements_max: 10_000,
            stack_bytes_max: 256 << 10,
            epochs_per_call_max: 3,
            fuel_per_call_max: None,
            effects_per_call_max: 1_024,
            effect_bytes_per_call_max: 1 << 20,
            payload_bytes_max: 64 << 10,
            message_bytes_max: 64 << 10,
            timer_name_bytes_max: 64,
            reason_bytes_max: 123,
            log_bytes_per_call_max: 4 << 10,
            state_bytes_max: 1 << 20,
        }
    }
}

/// Tables of one module; one with more is refused. Compilers make one.
pub(crate) const TABLES_MAX: u32 = 8;
