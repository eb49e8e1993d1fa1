//! Amazon SQS.
#![allow(dead_code)]
mod domain;
mod error;
