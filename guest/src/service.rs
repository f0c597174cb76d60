//! The rules of a room, which users write, and the macro that makes a module of them.

use crate::room::{Payload, Room};

/// The rules of a room. Each room has a value of its own, made by `Default`, which is told one thing at a time.
///
/// A panic is the end of the value: what it wanted in that call is not done, and the room begins again with a new one.
#[expect(unused_variables, reason = "what a service does not care about")]
pub trait Service: Default + 'static {
    /// The room begins. Comes first.
    fn init(&mut self, room: &mut Room<'_>) {}

    /// The room goes on from what another module's [`save`](Self::save) gave. Comes first, instead of [`init`](Self::init).
    fn load(&mut self, room: &mut Room<'_>, state: &[u8]) {
        self.init(room);
    }

    /// A session has become a member.
    fn connect(&mut self, room: &mut Room<'_>, member: u32) {}

    /// A member said something: in order per member, between its connect and its disconnect.
    fn message(&mut self, room: &mut Room<'_>, member: u32, payload: &Payload) {}

    /// A session is no member any more, whatever ended it.
    fn disconnect(&mut self, room: &mut Room<'_>, member: u32) {}

    /// A timer is due.
    fn timer(&mut self, room: &mut Room<'_>, name: &str) {}

    /// A tick of the world has passed.
    fn tick(&mut self, room: &mut Room<'_>, number: u64) {}

    /// What another module goes on from. `None`: nothing.
    fn save(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Makes a module of a service: one in each crate.
#[macro_export]
macro_rules! service {
    ($service:ty) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "the names of exports are those of the ABI, and nobody else's in a module")]
        const _: () = {
            ::std::thread_local! {
                static SERVICE: ::std::cell::RefCell<Option<$service>> = const { ::std::cell::RefCell::new(None) };
            }

            #[unsafe(no_mangle)]
            extern "C" fn worldshard_abi_1() {}

            #[unsafe(no_mangle)]
            extern "C" fn room_init() {
                $crate::exports::init(&SERVICE);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_load(bytes: u32) {
                $crate::exports::load(&SERVICE, bytes);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_connect(member: u32) {
                $crate::exports::connect(&SERVICE, member);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_message(member: u32, kind: u32, bytes: u32) {
                $crate::exports::message(&SERVICE, member, kind, bytes);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_disconnect(member: u32) {
                $crate::exports::disconnect(&SERVICE, member);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_timer(bytes: u32) {
                $crate::exports::timer(&SERVICE, bytes);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_tick(number: u64) {
                $crate::exports::tick(&SERVICE, number);
            }

            #[unsafe(no_mangle)]
            extern "C" fn room_save() {
                $crate::exports::save(&SERVICE);
            }
        };

        #[cfg(not(target_arch = "wasm32"))]
        const _: () = {
            fn is_service<S: $crate::Service>() {}
            let _ = is_service::<$service>;
        };
    };
}
