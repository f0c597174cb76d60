//! What a client shows before the server confirms it: a state run ahead by the inputs that are not applied yet.
//!
//! Generic over state, input and the step from one state to the next. Never sends anything, and knows no time.

use std::collections::VecDeque;

use crate::lanes::is_after;

/// A predicted state.
///
/// Each input is applied at once by [`input`](Self::input), under the number of the command that carries it.
/// [`confirm`](Self::confirm) takes the server's state and the number of the last command in it
/// (`View::command_sequence`), and replays the inputs behind that one. So the prediction is wrong only while the server
/// knows something that the client does not, and it ends where the server does when all inputs are applied.
///
/// ```
/// use worldshard_client::Prediction;
///
/// // A state is where the avatar stands; an input is a step of it.
/// let mut own = Prediction::new([0.0, 0.0], 256, |at: &mut [f32; 2], step: &[f32; 2]| {
///     at[0] += step[0];
///     at[1] += step[1];
/// });
/// // Each input under the number of its command, as `Link::say` returned it.
/// own.input(1, [1.0, 0.0]);
/// own.input(2, [0.0, 1.0]);
/// assert_eq!(own.state(), &[1.0, 1.0]);
/// // With each delta: the avatar's record, and the view's `command_sequence`. A wall was in the way.
/// own.confirm([0.5, 0.0], 1);
/// assert_eq!(own.state(), &[0.5, 1.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Prediction<State, Input, Step> {
    step: Step,
    predicted: State,
    pending: VecDeque<(u32, Input)>,
    pending_max: usize,
}

impl<State: Clone, Input, Step: Fn(&mut State, &Input)> Prediction<State, Input, Step> {
    /// Begins at a state that the server said. Keeps up to `pending_max` inputs: beyond, the oldest is forgotten, and the
    /// prediction lacks it until the server has applied it.
    ///
    /// # Panics
    /// When `pending_max` is 0: nothing could be predicted.
    pub fn new(state: State, pending_max: usize, step: Step) -> Self {
        assert!(pending_max > 0, "a prediction keeps at least one input");
        Self {
            step,
            predicted: state,
            pending: VecDeque::new(),
            pending_max,
        }
    }

    /// Applies an input whose command was said with this number; numbers ascend.
    pub fn input(&mut self, sequence: u32, input: Input) {
        (self.step)(&mut self.predicted, &input);
        if self.pending.len() == self.pending_max {
            self.pending.pop_front();
        }
        self.pending.push_back((sequence, input));
    }

    /// Takes the server's state, in which the commands up to `sequence` are applied; returns what was predicted before,
    /// for who wants to draw the correction smoothly.
    pub fn confirm(&mut self, state: State, sequence: u32) -> State {
        while let Some((first, _)) = self.pending.front()
            && !is_after(*first, sequence)
        {
            self.pending.pop_front();
        }
        let mut predicted = state;
        for (_, input) in &self.pending {
            (self.step)(&mut predicted, input);
        }
        std::mem::replace(&mut self.predicted, predicted)
    }

    /// Begins anew, as after a `Live` that resumed nothing: inputs of another session are not applied any more.
    pub fn reset(&mut self, state: State) {
        self.pending.clear();
        self.predicted = state;
    }

    /// The state to show.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.predicted
    }

    /// Inputs that the server has not confirmed.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }
}

#[cfg(test)]
mod tests;
