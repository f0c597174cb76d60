use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;
use worldshard_protocol::Tick;
use worldshard_spatial::ShardId;

use crate::bell::Bell;
use crate::shared::{Image, Shared};
use crate::sync::{Condvar, Mutex};
use crate::tray::Tray;

/// What a poll's waker does: a wake that comes while nobody sleeps ends the next sleep at once.
#[derive(Clone)]
struct Sleep(Arc<(Mutex<bool>, Condvar)>);

impl Sleep {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(false), Condvar::new())))
    }

    fn bell(&self) -> Arc<Bell> {
        let sleep = self.clone();
        Arc::new(Bell::new(move || sleep.wake()))
    }

    fn wake(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_one();
    }

    fn sleep(&self) {
        let mut woken = self.0.0.lock().unwrap();
        while !std::mem::take(&mut *woken) {
            woken = self.0.1.wait(woken).unwrap();
        }
    }
}

#[test]
fn what_is_sent_before_a_ring_is_found_though_rings_while_one_is_unanswered_do_not_wake() {
    loom::model(|| {
        let sleep = Sleep::new();
        let bell = sleep.bell();
        let letters = Arc::new(Mutex::new(Vec::new()));
        let senders: Vec<_> = (0..2)
            .map(|letter| {
                let (bell, letters) = (Arc::clone(&bell), Arc::clone(&letters));
                thread::spawn(move || {
                    letters.lock().unwrap().push(letter);
                    bell.ring();
                })
            })
            .collect();
        let mut found = Vec::new();
        while found.len() < 2 {
            sleep.sleep();
            bell.answer();
            found.append(&mut letters.lock().unwrap());
        }
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        found.sort_unstable();
        assert_eq!(found, [0, 1]);
    });
}

/// The keeper tells, then rings; a shard answers, then asks.
#[test]
fn a_shard_hears_of_every_durable_tick_and_of_what_was_done_before_it() {
    loom::model(|| {
        let sleep = Sleep::new();
        let bell = sleep.bell();
        let shared = Arc::new(Shared::new(1, Tick(0)));
        let written = Arc::new(AtomicU32::new(0));
        let keeper = {
            let (bell, shared, written) = (bell.clone(), shared.clone(), written.clone());
            thread::spawn(move || {
                for tick in 1..=2 {
                    written.store(tick, Ordering::Relaxed);
                    assert!(shared.tell(Tick(u64::from(tick))));
                    bell.ring();
                }
            })
        };
        let mut told = Tick(0);
        while told < Tick(2) {
            sleep.sleep();
            bell.answer();
            let now = shared.told();
            assert!(now >= told, "{told} was durable, and now {now}");
            assert!(u64::from(written.load(Ordering::Relaxed)) >= now.0);
            told = now;
        }
        keeper.join().unwrap();
    });
}

/// Loom's waits have no time limit: here nobody is saved by it.
#[test]
fn the_scribe_is_woken_for_the_tick_that_it_awaits() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(1, Tick(0)));
        let keeper = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                shared.complete(Tick(1));
                shared.complete(Tick(2));
            })
        };
        assert!(shared.await_complete(Tick(2), || false));
        keeper.join().unwrap();
    });
}

#[test]
fn a_shard_takes_each_image_once_and_never_an_older_one_after_a_newer() {
    let of = |image: Image| (image.tick, image.archive[0]);
    loom::model(move || {
        let shared = Arc::new(Shared::new(1, Tick(0)));
        let scribe = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                for number in 1..=2 {
                    let archive = std::sync::Arc::new(vec![number]);
                    let tick = Tick(u64::from(number));
                    shared.show(ShardId(0), Image { tick, archive });
                }
            })
        };
        let mut taken = Vec::new();
        for _ in 0..2 {
            taken.extend(shared.take_image(ShardId(0)).map(of));
        }
        scribe.join().unwrap();
        taken.extend(shared.take_image(ShardId(0)).map(of));
        assert!(taken.is_sorted_by(|one, next| one < next), "{taken:?}");
        assert_eq!(taken.last(), Some(&(Tick(2), 2)));
    });
}

#[test]
fn every_checkpoint_that_is_left_out_is_counted_whoever_leaves_it_out() {
    loom::model(|| {
        let shared = Arc::new(Shared::new(1, Tick(0)));
        let scribe = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.leave_out(ShardId(0)))
        };
        shared.leave_out(ShardId(0));
        scribe.join().unwrap();
        assert_eq!(shared.left_out(ShardId(0)), 2);
    });
}

#[test]
fn what_is_put_on_a_tray_is_taken_in_order_though_it_comes_while_the_tray_is_emptied() {
    loom::model(|| {
        let sleep = Sleep::new();
        let bell = sleep.bell();
        let tray = Arc::new(Tray::new());
        let rung = Arc::clone(&bell);
        tray.on_put(move || rung.ring());
        let putting = {
            let tray = Arc::clone(&tray);
            thread::spawn(move || (0..3).for_each(|thing| tray.put(thing)))
        };
        let (mut found, mut taken) = (Vec::new(), Vec::new());
        while found.len() < 3 {
            sleep.sleep();
            bell.answer();
            if tray.waits() {
                tray.take(&mut taken);
                found.append(&mut taken);
            }
        }
        putting.join().unwrap();
        assert_eq!(found, [0, 1, 2]);
    });
}
