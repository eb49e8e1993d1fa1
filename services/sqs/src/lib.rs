//! Amazon SQS.
#![allow(dead_code)]
mod cache;
mod completion;
mod domain;
mod error;
mod queue;
mod queues;
mod records;
