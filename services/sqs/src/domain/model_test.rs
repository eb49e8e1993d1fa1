//! The backlog against a model too simple to be wrong: nothing is lost, nothing is received while
//! it is hidden, and within a group nothing overtakes.

use std::time::Duration;

use base::Timestamp;
use proptest::prelude::*;

use super::backlog::{Arrival, Backlog};
use super::message::Receives;
use super::sequence::{Sequence, Sequencer};
use super::visibility::{ReceiptRefused, Take};

const GROUPS: u8 = 3;

#[derive(Clone, Debug)]
enum Op {
    Send { group: u8, delay: u8, settles: bool },
    Settle,
    Receive { max: usize, hide: u8 },
    Delete { receipt: usize },
    ChangeVisibility { receipt: usize, seconds: u8 },
    Wait { seconds: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..GROUPS, prop_oneof![3 => Just(0), 1 => 1..9_u8], prop::bool::weighted(0.8))
            .prop_map(|(group, delay, settles)| Op::Send { group, delay, settles }),
        1 => Just(Op::Settle),
        4 => (1..=10_usize, 0..9_u8).prop_map(|(max, hide)| Op::Receive { max, hide }),
        3 => any::<prop::sample::Index>().prop_map(|i| Op::Delete { receipt: i.index(64) }),
        1 => (0..64_usize, 0..9_u8)
            .prop_map(|(receipt, seconds)| Op::ChangeVisibility { receipt, seconds }),
        2 => (1..9_u8).prop_map(|seconds| Op::Wait { seconds }),
    ]
}

#[derive(Debug)]
struct Modelled {
    sequence: Sequence,
    group: u8,
    durable: bool,
    hidden_until: Timestamp,
    held_by: Option<u64>,
    received: u32,
}

struct Pair {
    fifo: bool,
    /// A standard queue whose messages have groups.
    fair: bool,
    now: Timestamp,
    sequencer: Sequencer,
    backlog: Backlog<u8>,
    model: Vec<Modelled>,
    receipts: Vec<(Sequence, u64)>,
}

impl Pair {
    fn new(fifo: bool, fair: bool) -> Self {
        Self {
            fifo,
            fair,
            now: Timestamp::from_millis(1_000_000),
            sequencer: Sequencer::default(),
            backlog: Backlog::new(fifo),
            model: Vec::new(),
            receipts: Vec::new(),
        }
    }

    fn send(&mut self, group: u8, delay: Duration, settles: bool) {
        let sequence = self.sequencer.next(self.now);
        let arrival = Arrival {
            group: (self.fifo || self.fair).then(|| group.to_string()),
            enqueued_at: self.now,
            visible_at: self.now + delay,
            receives: Receives::default(),
            received_before: 0,
            kept: group,
        };
        self.backlog.reserve(sequence, arrival);
        self.model.push(Modelled {
            sequence,
            group,
            durable: false,
            hidden_until: self.now + delay,
            held_by: None,
            received: 0,
        });
        if settles {
            self.settle_all();
        }
    }

    fn settle_all(&mut self) {
        for message in self.model.iter_mut().filter(|m| !m.durable) {
            message.durable = true;
            self.backlog.settle(message.sequence, self.now);
        }
    }

    fn is_visible(&self, message: &Modelled) -> bool {
        message.durable && message.hidden_until <= self.now
    }

    /// What the next receive may hand out, oldest first.
    fn receivable(&self) -> Vec<Sequence> {
        let held_back = |at: usize, group: u8| {
            let held = |m: &Modelled| m.group == group && m.held_by.is_some();
            let hidden = |m: &Modelled| m.group == group && !self.is_visible(m);
            self.fifo && (self.model.iter().any(held) || self.model[..at].iter().any(hidden))
        };
        let visible = |(at, m): (usize, &Modelled)| {
            (self.is_visible(m) && !held_back(at, m.group)).then_some(m.sequence)
        };
        self.model.iter().enumerate().filter_map(visible).collect()
    }

    fn receive(&mut self, max: usize, hide: Duration) -> Result<usize, TestCaseError> {
        let expected = self.receivable();
        prop_assert_eq!(self.backlog.has_receivable(), !expected.is_empty());
        let taken = self.backlog.take(Take {
            now: self.now,
            max,
            hide,
            max_receive_count: None,
        });
        prop_assert!(taken.exhausted.is_empty());
        let got: Vec<Sequence> = taken.received.iter().map(|r| r.sequence).collect();
        prop_assert_eq!(got.len(), expected.len().min(max), "as many as there are");
        if !self.fifo && !self.fair {
            prop_assert_eq!(&got[..], &expected[..got.len()], "oldest first");
        }
        for group in 0..GROUPS {
            let of_group = |all: &[Sequence]| -> Vec<Sequence> {
                let in_group = |s: &&Sequence| {
                    self.model
                        .iter()
                        .any(|m| m.sequence == **s && m.group == group)
                };
                all.iter().filter(in_group).copied().collect()
            };
            let (got, expected) = (of_group(&got), of_group(&expected));
            prop_assert_eq!(
                &got[..],
                &expected[..got.len()],
                "in order within the group"
            );
        }
        for received in &taken.received {
            self.receipts.push((received.sequence, received.receive));
            let message = self
                .model
                .iter_mut()
                .find(|m| m.sequence == received.sequence)
                .ok_or_else(|| TestCaseError::fail("a deleted message was received"))?;
            message.received += 1;
            prop_assert_eq!(received.receives.count, message.received);
            message.hidden_until = self.now + hide;
            message.held_by = (!hide.is_zero()).then_some(received.receive);
        }
        Ok(got.len())
    }

    fn delete(&mut self, receipt: usize) -> Result<(), TestCaseError> {
        let Some((sequence, receive)) = self.receipts.get(receipt).copied() else {
            return Ok(());
        };
        let at = self.model.iter().position(|m| m.sequence == sequence);
        let outcome = self.backlog.begin_delete(sequence, receive);
        match at {
            None => prop_assert_eq!(outcome, Ok(false)),
            Some(at) if self.fifo && self.model[at].held_by != Some(receive) => {
                prop_assert_eq!(outcome, Err(ReceiptRefused::Expired));
            }
            Some(at) => {
                prop_assert_eq!(outcome, Ok(true));
                self.backlog.remove(sequence);
                self.model.remove(at);
            }
        }
        Ok(())
    }

    fn change_visibility(&mut self, receipt: usize, seconds: u8) -> Result<(), TestCaseError> {
        let Some((sequence, receive)) = self.receipts.get(receipt).copied() else {
            return Ok(());
        };
        let timeout = Duration::from_secs(seconds.into());
        let (now, fifo) = (self.now, self.fifo);
        let outcome = self
            .backlog
            .change_visibility(sequence, receive, now, timeout);
        let Some(message) = self.model.iter_mut().find(|m| m.sequence == sequence) else {
            prop_assert_eq!(outcome, Err(ReceiptRefused::NotThere));
            return Ok(());
        };
        if message.held_by.is_none() || (fifo && message.held_by != Some(receive)) {
            prop_assert_eq!(outcome.is_err(), fifo);
            return Ok(());
        }
        prop_assert!(outcome.is_ok());
        message.hidden_until = now + timeout;
        if seconds == 0 {
            message.held_by = None;
        }
        Ok(())
    }

    fn wait(&mut self, span: Duration) {
        self.now = self.now + span;
        self.backlog.advance(self.now);
        for message in &mut self.model {
            if message.durable && message.hidden_until <= self.now {
                message.held_by = None;
            }
        }
    }

    fn check_counts(&self) -> Result<(), TestCaseError> {
        let counts = self.backlog.counts();
        let durable = || self.model.iter().filter(|m| m.durable);
        prop_assert_eq!(
            counts.visible,
            durable().filter(|m| self.is_visible(m)).count()
        );
        prop_assert_eq!(
            counts.in_flight,
            durable().filter(|m| m.held_by.is_some()).count()
        );
        let delayed = durable().filter(|m| !self.is_visible(m) && m.held_by.is_none());
        prop_assert_eq!(counts.delayed, delayed.count());
        prop_assert_eq!(self.backlog.len(), self.model.len());
        Ok(())
    }

    /// Everything that was not deleted is received in the end.
    fn drain(mut self) -> Result<(), TestCaseError> {
        self.settle_all();
        self.wait(Duration::from_hours(1));
        let left = self.model.len();
        let mut received = 0;
        while received < left {
            let got = self.receive(10, Duration::from_mins(1))?;
            prop_assert!(got > 0 || self.fifo, "messages were lost");
            received += got;
            for receipt in self.receipts.len() - got..self.receipts.len() {
                self.delete(receipt)?;
            }
            prop_assert!(got > 0, "a group stayed locked");
        }
        prop_assert!(self.backlog.len() == 0);
        Ok(())
    }
}

fn run(fifo: bool, fair: bool, ops: Vec<Op>) -> Result<(), TestCaseError> {
    let mut pair = Pair::new(fifo, fair);
    for op in ops {
        match op {
            Op::Send {
                group,
                delay,
                settles,
            } => {
                pair.send(group, Duration::from_secs(delay.into()), settles);
            }
            Op::Settle => pair.settle_all(),
            Op::Receive { max, hide } => {
                pair.receive(max, Duration::from_secs(hide.into()))?;
            }
            Op::Delete { receipt } => pair.delete(receipt)?,
            Op::ChangeVisibility { receipt, seconds } => {
                pair.change_visibility(receipt, seconds)?;
            }
            Op::Wait { seconds } => pair.wait(Duration::from_secs(seconds.into())),
        }
        pair.check_counts()?;
    }
    pair.drain()
}

proptest! {
    #[test]
    fn standard_queue(ops in prop::collection::vec(op(), 0..60)) {
        run(false, false, ops)?;
    }

    #[test]
    fn fair_queue(ops in prop::collection::vec(op(), 0..60)) {
        run(false, true, ops)?;
    }

    #[test]
    fn fifo_queue(ops in prop::collection::vec(op(), 0..60)) {
        run(true, false, ops)?;
    }
}
