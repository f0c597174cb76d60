//! The rim of pages and workers: the browser's WebSocket, its clock, and its chance.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{BinaryType, CloseEvent, MessageEvent, Performance, WebSocket};

use crate::agent::{Happened, Target};
use crate::close;
use crate::message::Message;
use crate::options::{Options, OptionsError};

/// One connection after another.
pub(crate) struct Socket {
    connection: Option<Connection>,
    /// Given up while it was open. A page ends a connection by a close alone, and that ends the session: it waits until another
    /// connection has the session, or has done without.
    abandoned: Option<Connection>,
    happened: VecDeque<Happened>,
}

struct Connection {
    socket: WebSocket,
    heard: Rc<RefCell<Heard>>,
    /// Kept while the browser may call them.
    _handlers: Handlers,
    /// Where messages end that the browser has not sent, in bytes handed over.
    ends: VecDeque<u64>,
    handed_bytes: u64,
    written: u64,
}

struct Handlers {
    _open: Closure<dyn FnMut()>,
    _message: Closure<dyn FnMut(MessageEvent)>,
    _error: Closure<dyn FnMut()>,
    _close: Closure<dyn FnMut(CloseEvent)>,
}

/// What came and was not polled.
#[derive(Default)]
struct Heard {
    queue: VecDeque<Happened>,
    bytes: usize,
    overflown: bool,
    /// An error was told, and no close after it.
    failed: bool,
}

impl Heard {
    /// A browser cannot be told to read no more: beyond the bound the connection is given up.
    fn push(&mut self, happened: Happened, bytes: usize) {
        self.bytes += bytes;
        if self.bytes > HEARD_BYTES_MAX || self.queue.len() >= HEARD_MAX {
            self.overflown = true;
        }
        if !self.overflown {
            self.queue.push_back(happened);
        }
    }

    fn take(&mut self) -> Option<Happened> {
        let Some(happened) = self.queue.pop_front() else {
            // A close follows an error at once; node 20 leaves it out when the upgrade is refused.
            return std::mem::take(&mut self.failed).then(|| Happened::Closed {
                code: close::LOST,
                reason: String::new(),
            });
        };
        if let Happened::Heard(message) = &happened {
            self.bytes -= message.len();
        }
        Some(happened)
    }
}

impl Socket {
    pub(crate) fn new(_: &Options) -> Result<Self, OptionsError> {
        Ok(Self {
            connection: None,
            abandoned: None,
            happened: VecDeque::new(),
        })
    }

    pub(crate) fn connect(&mut self, target: Target) {
        self.abandon();
        match Connection::open(&target) {
            Ok(connection) => self.connection = Some(connection),
            // An address that the browser does not take, such as one without TLS on a page that has it.
            Err(error) => {
                let why = error.as_string().unwrap_or_else(|| format!("{error:?}"));
                self.happened.push_back(Happened::Failed(why));
            }
        }
    }

    pub(crate) fn send(&mut self, message: &Message) {
        if let Some(connection) = &mut self.connection {
            connection.send(message);
        }
    }

    /// Pages have no ping frames; the agent of a page asks for none.
    pub(crate) fn ping(&mut self) {}

    pub(crate) fn close(&mut self, code: u16, reason: &str) {
        if let Some(connection) = &self.connection {
            // Pages may say this code and those from 3000 on.
            let code = if code == close::NORMAL {
                code
            } else {
                code + 3000
            };
            // A socket that is closed already is what is asked for.
            let _ = connection.socket.close_with_code_and_reason(code, reason);
        }
    }

    pub(crate) fn abandon(&mut self) {
        let Some(connection) = self.connection.take() else {
            return;
        };
        if connection.socket.ready_state() == WebSocket::OPEN {
            connection.detach();
            self.abandoned = Some(connection);
        }
    }

    pub(crate) fn next(&mut self) -> Option<Happened> {
        if let Some(happened) = self.happened.pop_front() {
            return Some(happened);
        }
        let connection = self.connection.as_mut()?;
        if let Some(written) = connection.newly_written() {
            return Some(Happened::Written(written));
        }
        let mut heard = connection.heard.borrow_mut();
        if let Some(happened) = heard.take() {
            if matches!(happened, Happened::Heard(_)) {
                self.abandoned = None;
            }
            return Some(happened);
        }
        if !heard.overflown {
            return None;
        }
        drop(heard);
        self.connection = None;
        Some(Happened::Broken("more came than was polled".to_owned()))
    }
}

impl Connection {
    fn open(target: &Target) -> Result<Self, JsValue> {
        let protocols: js_sys::Array = target.protocols.iter().map(JsValue::from).collect();
        let socket = WebSocket::new_with_str_sequence(&target.url.to_string(), &protocols)?;
        socket.set_binary_type(BinaryType::Arraybuffer);
        let heard = Rc::<RefCell<Heard>>::default();
        let opened = heard.clone();
        let open = Closure::<dyn FnMut()>::new(move || {
            opened.borrow_mut().push(Happened::Opened, 0);
        });
        let said = heard.clone();
        let message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            if let Some(message) = message_of(&event.data()) {
                let bytes = message.len();
                said.borrow_mut().push(Happened::Heard(message), bytes);
            }
        });
        let failed = heard.clone();
        let error = Closure::<dyn FnMut()>::new(move || failed.borrow_mut().failed = true);
        let ended = heard.clone();
        let close = Closure::<dyn FnMut(CloseEvent)>::new(move |event: CloseEvent| {
            let closed = Happened::Closed {
                code: event.code(),
                reason: event.reason(),
            };
            let mut ended = ended.borrow_mut();
            ended.failed = false;
            ended.push(closed, 0);
        });
        socket.set_onopen(Some(open.as_ref().unchecked_ref()));
        socket.set_onmessage(Some(message.as_ref().unchecked_ref()));
        socket.set_onerror(Some(error.as_ref().unchecked_ref()));
        socket.set_onclose(Some(close.as_ref().unchecked_ref()));
        Ok(Self {
            socket,
            heard,
            _handlers: Handlers {
                _open: open,
                _message: message,
                _error: error,
                _close: close,
            },
            ends: VecDeque::new(),
            handed_bytes: 0,
            written: 0,
        })
    }

    fn send(&mut self, message: &Message) {
        let sent = match message {
            Message::Text(text) => self.socket.send_with_str(text),
            Message::Binary(bytes) => self.socket.send_with_u8_array(bytes),
        };
        // A socket that is closing takes nothing: its close is heard soon.
        if sent.is_ok() {
            self.handed_bytes += message.len() as u64;
            self.ends.push_back(self.handed_bytes);
        }
    }

    /// It calls nobody any more.
    fn detach(&self) {
        self.socket.set_onopen(None);
        self.socket.set_onmessage(None);
        self.socket.set_onerror(None);
        self.socket.set_onclose(None);
    }

    /// Messages that left, if any did since the last time.
    fn newly_written(&mut self) -> Option<u64> {
        let waiting = u64::from(self.socket.buffered_amount());
        let gone = self.handed_bytes.saturating_sub(waiting);
        let before = self.written;
        while self.ends.front().is_some_and(|end| *end <= gone) {
            self.ends.pop_front();
            self.written += 1;
        }
        (self.written > before).then_some(self.written)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.detach();
        // A socket that is closed already is what is wanted.
        let _ = self
            .socket
            .close_with_code_and_reason(close::NORMAL, "client done");
    }
}

fn message_of(data: &JsValue) -> Option<Message> {
    if let Some(text) = data.as_string() {
        return Some(Message::Text(text));
    }
    let buffer = data.dyn_ref::<js_sys::ArrayBuffer>()?;
    let bytes = js_sys::Uint8Array::new(buffer).to_vec();
    Some(Message::Binary(Bytes::from(bytes)))
}

/// Time since the page began. Where there is no such clock it stands still, and nothing times out.
pub(crate) struct Clock {
    performance: Option<Performance>,
    last: Cell<Duration>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        // Pages and workers both have it, by the same name.
        let performance = js_sys::Reflect::get(&js_sys::global(), &"performance".into())
            .ok()
            .and_then(|value| value.dyn_into().ok());
        Self {
            performance,
            last: Cell::new(Duration::ZERO),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        if let Some(performance) = &self.performance {
            let now = Duration::try_from_secs_f64(performance.now() / 1000.0);
            self.last.set(self.last.get().max(now.unwrap_or_default()));
        }
        self.last.get()
    }
}

pub(crate) fn seed() -> u64 {
    js_sys::Math::random().to_bits()
}

/// Messages that wait for a poll.
const HEARD_MAX: usize = 4096;

/// Their bytes: as much as the longest message of our own reader.
const HEARD_BYTES_MAX: usize = 16 * 1024 * 1024;
