//! The counter of `guest/examples/counter.rs` by Stateroom's crate.

use stateroom_wasm::{
    ClientId, MessagePayload, MessageRecipient, StateroomContext, StateroomService, stateroom_wasm,
};

#[stateroom_wasm]
#[derive(Default)]
struct Counter(u64);

impl StateroomService for Counter {
    fn message(&mut self, _: ClientId, message: MessagePayload, ctx: &impl StateroomContext) {
        if message.text() == Some("increment") {
            self.0 += 1;
            ctx.send_message(MessageRecipient::Broadcast, format!("new value: {}", self.0));
        }
    }
}
