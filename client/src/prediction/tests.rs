//! Prediction against a model server behind a network that delays, and loses: a lost packet comes late, and what is
//! behind it waits, as on TCP; or the connection breaks, and the client says again what was not taken.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A place whose steps do not commute, so that an order or a repetition that is wrong shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Place {
    x: i64,
    heading: i64,
}

#[derive(Clone, Copy, Debug)]
enum Input {
    Turn(i64),
    Go(i64),
}

fn step(place: &mut Place, input: &Input) {
    match *input {
        Input::Turn(by) => place.heading = (place.heading * 3 + by) % 1009,
        Input::Go(by) => place.x = (place.x + by * (place.heading + 1)) % 1_000_003,
    }
}

/// Something on its way, and when it arrives.
type Way<T> = VecDeque<(u64, T)>;

struct Scene {
    now: u64,
    delay: u64,
    server: (u32, Place),
    up: Way<(u32, Input)>,
    down: Way<(u32, Place)>,
    said: Vec<(u32, Input)>,
}

impl Scene {
    /// Nothing overtakes: what is lost holds up what is behind it, for the time of a repetition.
    fn put<T>(&self, way: &Way<T>, lost: bool) -> u64 {
        let arrives = self.now + self.delay + if lost { 4 * self.delay + 200 } else { 0 };
        arrives.max(way.back().map_or(0, |(last, _)| *last))
    }

    fn serve(&mut self) {
        while let Some((at, (sequence, input))) = self.up.front().copied()
            && at <= self.now
        {
            self.up.pop_front();
            // A command that was taken before is dropped.
            if sequence > self.server.0 {
                assert_eq!(sequence, self.server.0 + 1, "a command was lost");
                step(&mut self.server.1, &input);
                self.server.0 = sequence;
            }
        }
    }

    /// All that is on its way is lost; on the new connection what was not taken is said again.
    fn cut(&mut self) {
        (self.up, self.down) = (Way::new(), Way::new());
        for &(sequence, input) in self.said.iter().filter(|said| said.0 > self.server.0) {
            self.up
                .push_back((self.now + 3 * self.delay, (sequence, input)));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Turn(i64),
    Go(i64),
    Nothing,
}

fn deeds() -> impl Strategy<Value = Vec<(Deed, u8)>> {
    let deed = prop_oneof![
        (-5_i64..5).prop_map(Deed::Turn),
        (-5_i64..5).prop_map(Deed::Go),
        Just(Deed::Nothing),
    ];
    // The byte is chance: 5 of 256 are lost both ways, one cuts.
    prop::collection::vec((deed, any::<u8>()), 1..200)
}

/// Runs the scene, checks at each confirmation that the prediction is the server's state run on, and returns both ends.
fn run(delay: u64, deeds: &[(Deed, u8)], lost: u8) -> (Place, Place) {
    let mut scene = Scene {
        now: 0,
        delay,
        server: (0, Place::default()),
        up: Way::new(),
        down: Way::new(),
        said: Vec::new(),
    };
    let mut prediction = Prediction::new(Place::default(), 1000, step);
    let mut without_network = Place::default();
    // Time for all that is on its way to arrive.
    let rest = (0..100).map(|_| (Deed::Nothing, u8::MAX - 1));
    for (deed, chance) in deeds.iter().copied().chain(rest) {
        let input = match deed {
            Deed::Turn(by) => Some(Input::Turn(by)),
            Deed::Go(by) => Some(Input::Go(by)),
            Deed::Nothing => None,
        };
        if let Some(input) = input {
            let sequence = scene.said.len() as u32 + 1;
            scene.said.push((sequence, input));
            let at = scene.put(&scene.up, chance < lost);
            scene.up.push_back((at, (sequence, input)));
            prediction.input(sequence, input);
            step(&mut without_network, &input);
        }
        if chance == u8::MAX {
            scene.cut();
        }
        scene.serve();
        let at = scene.put(&scene.down, chance.wrapping_add(lost) < lost);
        let server = scene.server;
        scene.down.push_back((at, server));
        while let Some((at, (sequence, place))) = scene.down.front().copied()
            && at <= scene.now
        {
            scene.down.pop_front();
            prediction.confirm(place, sequence);
            assert_eq!(prediction.pending(), scene.said.len() - sequence as usize);
        }
        // Nobody else moves this avatar, so the prediction is never wrong.
        assert_eq!(*prediction.state(), without_network);
        scene.now += 50;
    }
    assert_eq!(prediction.pending(), 0, "all was applied");
    (*prediction.state(), scene.server.1)
}

proptest! {
    #[test]
    fn the_prediction_ends_where_the_server_does(delay in 0_u64..400, deeds in deeds(), lost in 0_u8..40) {
        let (predicted, applied) = run(delay, &deeds, lost);
        prop_assert_eq!(predicted, applied);
    }
}

#[test]
fn under_200_ms_and_2_percent_loss_the_final_states_are_equal() {
    let deeds: Vec<_> = (0..2000_u32)
        .map(|at| {
            let chance = (at.wrapping_mul(0x9e37_79b9) >> 24) as u8;
            let by = i64::from(at % 7) - 3;
            let deed = if at % 3 == 0 {
                Deed::Turn(by)
            } else {
                Deed::Go(by)
            };
            (deed, chance.min(u8::MAX - 1))
        })
        .collect();
    // 5 of 256 is 2 %; the delay is that of one way.
    let (predicted, applied) = run(200, &deeds, 5);
    assert_eq!(predicted, applied);
}

#[test]
fn what_the_server_did_otherwise_is_taken_over_and_inputs_replayed() {
    let add = |x: &mut i32, by: &i32| *x += by;
    let mut prediction = Prediction::new(0, 3, add);
    for (sequence, by) in [(1, 10), (2, 20), (3, 30)] {
        prediction.input(sequence, by);
    }
    // A wall stopped the first step.
    assert_eq!(prediction.confirm(4, 1), 60);
    assert_eq!(*prediction.state(), 54);
    // Beyond the bound the oldest is forgotten.
    prediction.input(4, 1);
    prediction.input(5, 1);
    assert_eq!(prediction.pending(), 3);
    prediction.reset(7);
    assert_eq!((*prediction.state(), prediction.pending()), (7, 0));
}

#[test]
fn numbers_may_count_round() {
    let mut prediction = Prediction::new(0, 8, |x: &mut i32, by: &i32| *x += by);
    for (sequence, by) in [(u32::MAX, 1), (0, 2), (1, 3)] {
        prediction.input(sequence, by);
    }
    prediction.confirm(1, u32::MAX);
    assert_eq!((*prediction.state(), prediction.pending()), (6, 2));
}
