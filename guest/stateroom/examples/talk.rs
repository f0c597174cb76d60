//! All that Stateroom's crate has a service told, and all that it may want done.

use stateroom_wasm::{
    ClientId, MessagePayload, MessageRecipient, StateroomContext, StateroomService, stateroom_wasm,
};

#[stateroom_wasm]
#[derive(Default)]
struct Talk {
    is_begun: bool,
}

impl StateroomService for Talk {
    fn init(&mut self, _: &impl StateroomContext) {
        self.is_begun = true;
    }

    fn connect(&mut self, client: ClientId, ctx: &impl StateroomContext) {
        let number = u32::from(client);
        ctx.send_message(client, format!("you are {number}, begun: {}", self.is_begun));
        ctx.send_message(
            MessageRecipient::EveryoneExcept(client),
            format!("{number} comes"),
        );
    }

    fn disconnect(&mut self, client: ClientId, ctx: &impl StateroomContext) {
        let number = u32::from(client);
        ctx.send_message(MessageRecipient::Broadcast, format!("{number} leaves"));
    }

    fn message(&mut self, client: ClientId, message: MessagePayload, ctx: &impl StateroomContext) {
        match message {
            MessagePayload::Bytes(bytes) => ctx.send_message(client, bytes),
            MessagePayload::Text(text) if text == "wait" => {
                // The second takes the place of the first.
                ctx.set_timer(3_600_000);
                ctx.set_timer(10);
            }
            MessagePayload::Text(text) if text == "panic" => panic!("as asked"),
            MessagePayload::Text(text) => ctx.send_message(MessageRecipient::Broadcast, text),
        }
    }

    fn timer(&mut self, ctx: &impl StateroomContext) {
        ctx.send_message(MessageRecipient::Broadcast, "woken");
    }
}
