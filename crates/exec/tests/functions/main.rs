//! Functions run for real: in sandboxes, on this host's interpreters, as root or as anybody.

mod support;

mod dispatch;
mod failures;
mod logs;
mod node;
mod provided;
mod python;
