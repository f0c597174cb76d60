//! A service that fails in all its ways: what is tried again, what is given up, and that no shard notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use worldshard_hook::{BreakerState, HookOptions};
use worldshard_transport::MessageKind;

use crate::backend::{Answer, Backend, Posted, ok, status};
use crate::socket::{Client, PATIENCE, end, eventually, now, on_each_runtime, serve};
use crate::{app, everywhere, hears, options, say};

/// Answers so the first times, and well from then on.
fn fails_first(
    times: usize,
    how: impl Fn() -> Answer + Send + Sync + 'static,
) -> impl Fn(&Posted) -> Answer + Send + Sync + 'static {
    let tries = AtomicUsize::new(0);
    move |_| match tries.fetch_add(1, Ordering::SeqCst) {
        try_number if try_number < times => how(),
        _ => ok("{}"),
    }
}

fn only_messages(options: &mut HookOptions) {
    options.events = "message".parse().unwrap();
    options.timeout = Duration::from_millis(200);
    // Of its own tests.
    options.failures_max = 1000;
}

#[test]
fn what_fails_is_tried_again_with_its_key_and_behind_it_the_rest_waits() {
    let ways: [fn() -> Answer; 6] = [
        || status(500),
        || status(503),
        || status(429),
        || Answer::Cut,
        || Answer::Garbage,
        || Answer::Hang,
    ];
    everywhere(only_messages, |address, backend, watch| {
        for (number, way) in ways.into_iter().enumerate() {
            let before = backend.posted().len();
            backend.answer(fails_first(2, way));
            let mut client = Client::connect(address, "/ws");
            client.echoes(MessageKind::Text, b"first");
            client.echoes(MessageKind::Text, b"second");
            backend.waits_for("message", before + 4);
            let posted = &backend.posted()[before..];
            let texts: Vec<_> = posted.iter().map(|one| &one.body["text"]).collect();
            assert_eq!(texts, ["first", "first", "first", "second"], "way {number}");
            let keys: Vec<_> = posted.iter().map(Posted::key).collect();
            assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3]);
            assert_eq!(posted[0].body, posted[2].body);
        }
        eventually(PATIENCE, "all are sent", || {
            watch.status().events_sent == 12
        });
        assert_eq!(watch.status().tries_failed, 12);
    });
}

#[test]
fn after_so_many_tries_an_event_is_given_up_and_a_refusal_is_not_tried_again() {
    everywhere(only_messages, |address, backend, watch| {
        backend.answer(|posted| match posted.body["text"].as_str() {
            Some("doomed") => status(500),
            Some("refused") => status(404),
            Some("moved") => Answer::Status(302, "location: http://127.0.0.1:1/\r\n".to_owned()),
            _ => ok("{}"),
        });
        let mut client = Client::connect(address, "/ws");
        for text in ["doomed", "refused", "moved", "last"] {
            client.echoes(MessageKind::Text, text.as_bytes());
        }
        eventually(PATIENCE, "the last is sent", || {
            watch.status().events_sent == 1
        });
        let posted = backend.posted();
        let texts: Vec<_> = posted.iter().map(|one| &one.body["text"]).collect();
        assert_eq!(
            texts,
            [
                "doomed", "doomed", "doomed", "doomed", "refused", "moved", "last"
            ]
        );
        let status = watch.status();
        assert_eq!((status.events_failed, status.events_refused), (1, 2));
    });
}

#[test]
fn retry_after_is_heeded() {
    everywhere(only_messages, |address, backend, _| {
        let later = || Answer::Status(429, "retry-after: 1\r\n".to_owned());
        backend.answer(fails_first(1, later));
        let mut client = Client::connect(address, "/ws");
        client.echoes(MessageKind::Text, b"hello");
        backend.waits_for("message", 1);
        let first = now();
        backend.waits_for("message", 2);
        // Half of it, because the first was seen late.
        assert!(first.elapsed() > Duration::from_millis(500));
    });
}

#[test]
fn an_answer_without_end_is_cut_off_and_bad_ones_are_counted() {
    everywhere(only_messages, |address, backend, watch| {
        backend.answer(|posted| match posted.body["text"].as_str() {
            Some("giant") => Answer::Giant,
            Some("drip") => Answer::Drip,
            Some("list") => ok("[1]"),
            Some("words") => ok("all is well"),
            Some("code") => ok(r#"{"close":{"code":99}}"#),
            _ => ok(r#"{"reply":"well"}"#),
        });
        let mut client = Client::connect(address, "/ws");
        for text in ["giant", "drip", "list", "words", "code"] {
            client.echoes(MessageKind::Text, text.as_bytes());
        }
        say(&mut client, "last");
        assert_eq!([hears(&mut client), hears(&mut client)], ["last", "well"]);
        let status = watch.status();
        // What drips is tried again and given up.
        assert_eq!((status.answers_bad, status.events_failed), (4, 1));
        assert_eq!(status.events_sent, 5);
    });
}

#[test]
fn a_service_that_fails_is_left_alone_and_tried_again_by_one() {
    let change = |options: &mut HookOptions| {
        only_messages(options);
        options.retries = 0;
        options.failures_max = 3;
        options.open = Duration::from_millis(300);
    };
    everywhere(change, |address, backend, watch| {
        backend.answer(|_| status(500));
        let mut client = Client::connect(address, "/ws");
        for _ in 0..3 {
            client.echoes(MessageKind::Text, b"in vain");
        }
        eventually(PATIENCE, "it is left alone", || {
            watch.status().breaker_opened > 0
        });
        let posted = backend.posted().len();
        assert_eq!(posted, 3);
        let began = now();
        client.echoes(MessageKind::Text, b"unsaid");
        if began.elapsed() < Duration::from_millis(100) {
            assert_eq!(watch.status().events_dropped, 1);
            assert_eq!(backend.posted().len(), posted);
        }
        backend.answer(|_| ok("{}"));
        eventually(PATIENCE, "it is tried again", || {
            client.echoes(MessageKind::Text, b"at last");
            watch.status().events_sent > 0
        });
        assert_eq!(watch.status().breaker, BreakerState::Closed);
        assert_eq!(watch.status().breaker_opened, 1);
    });
}

#[test]
fn while_the_service_hangs_shards_tick_and_echo_and_what_is_too_much_is_dropped() {
    let change = |options: &mut HookOptions| {
        only_messages(options);
        options.timeout = Duration::from_secs(3600);
        options.workers = 1;
        options.events_max = 10;
        options.grace = Duration::ZERO;
    };
    on_each_runtime(|runtime| {
        for shards in crate::SHARDS {
            let backend = Backend::start();
            backend.answer(|_| Answer::Hang);
            let mut options = options(&backend);
            change(&mut options);
            options.timeout = Duration::from_secs(3);
            let ticks = Arc::new(AtomicUsize::new(0));
            let (mut app, watch) = app(runtime, shards, options);
            let counted = Arc::clone(&ticks);
            app.system(
                worldshard::prelude::FixedUpdate,
                move |_: &mut worldshard::prelude::Step<'_>| {
                    counted.fetch_add(1, Ordering::SeqCst);
                },
            );
            let (running, address) = serve(&mut app);
            let mut client = Client::connect(address, "/ws");
            client.echoes(MessageKind::Text, b"it hangs over this");
            backend.waits_for("message", 1);
            let before = ticks.load(Ordering::SeqCst);
            for _ in 0..100 {
                client.echoes(MessageKind::Text, b"others are served");
            }
            eventually(PATIENCE, "the world goes on", || {
                ticks.load(Ordering::SeqCst) >= before + 5 * usize::from(shards)
            });
            assert_eq!(backend.posted().len(), 1, "all of that while it hung");
            assert_eq!(watch.status().events_dropped, 90);
            end(running);
        }
    });
}

#[test]
fn where_nobody_listens_events_are_given_up() {
    everywhere(
        |options| {
            only_messages(options);
            options.retries = 1;
            // No service listens on it: the port is that of nobody.
            options.url = "http://127.0.0.1:1/hook".to_owned();
        },
        |address, _, watch| {
            let mut client = Client::connect(address, "/ws");
            client.echoes(MessageKind::Text, b"hello");
            eventually(PATIENCE, "it is given up", || {
                watch.status().events_failed == 1
            });
            assert_eq!(watch.status().tries, 2);
        },
    );
}
