//! Who takes binary messages of raw paths, by their first byte. Never runs a handler: that is `hub::binary_commands`.

use worldshard_protocol::SessionId;

use crate::app::App;
use crate::app::plugin::Owned;
use crate::context::Context;

/// Takes a binary message: of whom, and what stands behind its first byte.
pub(crate) type BinaryCommand = Box<dyn Fn(&mut Context<'_>, SessionId, &[u8]) + Send + Sync>;

impl App {
    /// Takes the binary messages of raw paths that begin with the byte `opcode`, unless their connection came for a room:
    /// as [`text_command`](Self::text_command) does texts, in order with those, and instead of systems. The handler gets
    /// who said it and the bytes behind the opcode. All other binary messages go where they went.
    pub fn binary_command(
        &mut self,
        opcode: u8,
        handler: impl Fn(&mut Context<'_>, SessionId, &[u8]) + Send + Sync + 'static,
    ) -> &mut Self {
        let what = format!("binary messages that begin with {opcode}");
        self.claim(Owned::Name(what));
        let command = (self.owner, Box::new(handler) as BinaryCommand);
        self.binary_commands.insert(opcode, command);
        self
    }
}
