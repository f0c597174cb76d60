//! Who decides who is let in: the service, by way of the pool.

use std::sync::Arc;

use worldshard::identity::{Applicant, Decide};

use crate::pool::Pool;

/// Asks the service.
pub(crate) struct HookDecider(pub(crate) Arc<Pool>);

impl Decide for HookDecider {
    fn decide(&self, applicant: Applicant) {
        self.0.office().ask(applicant);
    }
}
