//! What a hub says and knows while its server stops. Never decides when that is.

use std::time::Duration;

use worldshard_protocol::SessionId;
use worldshard_transport::{MessageKind, data_frame};

use crate::app::Framing;
use crate::hub::Hub;

impl Hub {
    /// Tells every session on lanes that it is to be closed in so long; how many were told.
    pub fn tell_draining(&mut self, closes_in: Duration) -> usize {
        let milliseconds = closes_in.as_millis();
        let envelope = format!(
            r#"{{"v":1,"svc":"sys","type":"draining","data":{{"reason":"the server stops","closes_in_ms":{milliseconds}}}}}"#
        );
        let frame = data_frame(MessageKind::Text, envelope.as_bytes());
        let speaks =
            |session: &SessionId| self.desk.framing_if_open(*session) == Some(Framing::Lanes);
        let sessions: Vec<SessionId> = self.desk.sessions_open().filter(speaks).collect();
        for session in &sessions {
            self.desk.push_reliable(*session, frame.clone());
        }
        sessions.len()
    }

    /// Requests that have no answer yet.
    #[must_use]
    pub fn requests_open(&self) -> usize {
        self.desk.requests.len()
    }
}
