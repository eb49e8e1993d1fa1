//! What every operation works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Clock, Timestamp};
use routing::deliveries::{Deliveries, NoWeb};
use store::{Blobs, Store};

use crate::content::{Keys, Pins};
use crate::deliver;
use crate::domain::encryption::{CustomerKey, KEY};
use crate::domain::event::Sequencer;
use crate::{Config, Ports};

pub struct State {
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    pub clock: Clock,
    pub ports: Ports,
    pub is_permissive: bool,
    encryption_key: Option<[u8; KEY]>,
    pub pins: Arc<Pins>,
    pub deliveries: Arc<Deliveries>,
    sequence: Sequence,
}

impl State {
    pub fn new(config: Config, ports: Ports) -> Self {
        let Config {
            store,
            blobs,
            clock,
            is_permissive,
            encryption_key,
        } = config;
        let deliveries = Deliveries::new(
            deliver::PRINCIPAL,
            Arc::clone(&store),
            clock.clone(),
            Arc::clone(&ports.api),
            Arc::new(NoWeb),
        );
        Self {
            is_permissive,
            encryption_key,
            pins: Arc::new(Pins::new(Arc::clone(&blobs))),
            deliveries,
            store,
            blobs,
            clock,
            ports,
            sequence: Sequence::default(),
        }
    }

    /// The keys by which contents are encrypted at rest.
    pub fn keys(&self, customer: Option<&CustomerKey>) -> Keys {
        Keys {
            operator: self.encryption_key,
            customer: customer.cloned(),
        }
    }

    /// The next sequencer, above all earlier ones as long as the clock does not run backwards
    /// over a restart.
    pub fn next_sequencer(&self, now: Timestamp) -> Sequencer {
        self.sequence.next(now)
    }
}

/// Milliseconds above, a counter in the low 20 bits.
#[derive(Default)]
struct Sequence(AtomicU64);

impl Sequence {
    fn next(&self, now: Timestamp) -> Sequencer {
        let floor = u64::try_from(now.millis()).unwrap_or(0) << 20;
        let step = |last: u64| Some(floor.max(last + 1));
        let last = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
            .expect("the step always gives a value");
        Sequencer(floor.max(last + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequencers_only_rise() {
        let sequence = Sequence::default();
        let late = sequence.next(Timestamp::from_millis(2_000));
        let same = sequence.next(Timestamp::from_millis(2_000));
        let back = sequence.next(Timestamp::from_millis(1_000));
        assert!(late < same && same < back);
        assert!(late.to_string() < back.to_string());
    }
}
