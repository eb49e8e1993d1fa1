//! Executions with a function that a test plays, and time moved by hand.

mod callbacks;
mod chained;
mod checkpoints;
mod control;
mod forget;
mod many;
mod restarts;
mod rig;
mod starts;
mod tenants;
mod timers;
