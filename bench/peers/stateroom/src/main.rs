//! Stateroom 0.4.4 as a server to measure: its service trait, its server.
//!
//! Settings: it has none that matter here. `serve_async` is its way into a runtime of one's own; one thread is cheapest
//! on one processor.

use peer_common::{Args, Scenario, ready_when_reached};
use std::convert::Infallible;
use std::sync::Arc;

use stateroom::{
    ClientId, MessagePayload, MessageRecipient, StateroomContext, StateroomService,
    StateroomServiceFactory,
};
use stateroom_server::Server;

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let mut server = Server::new().with_port(args.bind.port());
    server = server.with_ip(args.bind.ip().to_string());
    ready_when_reached(args.bind);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(server.serve_async(Factory(args.scenario)))
}

struct Factory(Scenario);

impl StateroomServiceFactory for Factory {
    type Service = Service;
    type Error = Infallible;

    fn build(&self, _: &str, _: Arc<impl StateroomContext>) -> Result<Service, Infallible> {
        Ok(Service(self.0))
    }
}

struct Service(Scenario);

impl StateroomService for Service {
    fn message(&mut self, client: ClientId, payload: MessagePayload, cx: &impl StateroomContext) {
        match self.0 {
            Scenario::Echo => cx.send_message(client, payload),
            Scenario::Broadcast => cx.send_message(MessageRecipient::Broadcast, payload),
        }
    }
}
