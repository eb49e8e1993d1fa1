//! Who may start an environment next, where the host starts only a few at once.
//!
//! Turns go round the functions that wait for one, not along the line of starts: a function with
//! five hundred starts to make delays another's first by one of them.

use std::collections::VecDeque;
use std::sync::Arc;

use base::{AccountId, Region};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::function::FunctionKey;

/// The turns of one host.
#[derive(Clone, Debug)]
pub(crate) struct Turns(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    free: usize,
    closed: bool,
    /// Those that wait, by lane; the next turn is the first lane's. None is empty.
    lanes: VecDeque<(Lane, VecDeque<oneshot::Sender<Turn>>)>,
}

/// Whose turns go in one line: those of a function, over all its versions. What is made ahead has
/// its own, for no event waits for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lane {
    account: AccountId,
    region: Region,
    function: String,
    ahead: bool,
}

/// The right to start an environment, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn(Option<Arc<Mutex<Line>>>);

impl Lane {
    pub(crate) fn new(function: &FunctionKey, ahead: bool) -> Self {
        Self {
            account: function.account,
            region: function.region.clone(),
            function: function.name.clone(),
            ahead,
        }
    }
}

impl Turns {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Arc::new(Mutex::new(Line {
            free: at_once.max(1),
            closed: false,
            lanes: VecDeque::new(),
        })))
    }

    /// Waits for a turn; `None` once there will be no more.
    pub(crate) async fn turn(&self, lane: Lane) -> Option<Turn> {
        let turn = self.queue(lane)?;
        turn.await.ok()
    }

    /// Takes a place in a lane at once.
    fn queue(&self, lane: Lane) -> Option<oneshot::Receiver<Turn>> {
        let (sender, receiver) = oneshot::channel();
        let mut line = self.0.lock();
        if line.closed {
            return None;
        }
        match line.lanes.iter_mut().find(|(known, _)| *known == lane) {
            Some((_, waiting)) => waiting.push_back(sender),
            None => line.lanes.push_back((lane, VecDeque::from([sender]))),
        }
        self.grant(&mut line);
        Some(receiver)
    }

    fn grant(&self, line: &mut Line) {
        while line.free > 0
            && let Some((lane, mut waiting)) = line.lanes.pop_front()
        {
            let next = waiting.pop_front();
            if !waiting.is_empty() {
                line.lanes.push_back((lane, waiting));
            }
            line.free -= 1;
            let given = next.map(|next| next.send(Turn(Some(Arc::clone(&self.0)))));
            if let Some(Err(mut turn)) = given {
                // Whoever waited is gone; the turn must not come back by itself, under this lock.
                turn.0 = None;
                line.free += 1;
            }
        }
    }

    /// There are no more turns.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut line = self.0.lock();
            line.closed = true;
            std::mem::take(&mut line.lanes)
        };
        drop(waiting);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(line) = self.0.take() {
            let turns = Turns(line);
            let mut line = turns.0.lock();
            line.free += 1;
            turns.grant(&mut line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(name: &str) -> Lane {
        let key = FunctionKey {
            account: AccountId::DEFAULT,
            region: Region::us_east_1(),
            name: name.to_owned(),
            version: "$LATEST".to_owned(),
        };
        Lane::new(&key, false)
    }

    /// The order in which those who wait get the only turn there is.
    fn order(turns: &Turns, held: Turn, names: &[&'static str]) -> Vec<&'static str> {
        let mut waiting: Vec<_> = names
            .iter()
            .map(|name| (*name, turns.queue(lane(name)).unwrap()))
            .collect();
        let mut order = Vec::new();
        drop(held);
        while !waiting.is_empty() {
            let (at, turn) = waiting
                .iter_mut()
                .enumerate()
                .find_map(|(at, (_, turn))| Some((at, turn.try_recv().ok()?)))
                .expect("somebody has the turn");
            order.push(waiting.remove(at).0);
            let others = waiting
                .iter_mut()
                .filter_map(|(_, turn)| turn.try_recv().ok());
            assert_eq!(others.count(), 0, "there is only one turn");
            drop(turn);
        }
        order
    }

    #[tokio::test]
    async fn turns_go_round_the_functions() {
        let turns = Turns::new(1);
        let held = turns.turn(lane("busy")).await.unwrap();
        let names = ["busy"; 500]
            .into_iter()
            .chain(["first", "second", "first"]);
        let order = order(&turns, held, &names.collect::<Vec<_>>());
        assert_eq!(
            order[..6],
            ["busy", "first", "second", "busy", "first", "busy"]
        );
        assert_eq!(order.len(), 503);
    }

    #[tokio::test]
    async fn a_turn_for_somebody_who_left_goes_on_and_closing_ends_the_wait() {
        let turns = Turns::new(1);
        let held = turns.turn(lane("a")).await.unwrap();
        let gone = turns.queue(lane("a")).unwrap();
        let mut stays = turns.queue(lane("b")).unwrap();
        drop(gone);
        drop(held);
        let turn = stays.try_recv().unwrap();
        let waits = turns.queue(lane("a")).unwrap();
        turns.close();
        assert!(waits.await.is_err() && turns.turn(lane("a")).await.is_none());
        drop(turn);
    }
}
