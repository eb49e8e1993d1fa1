//! The service as the gateway calls it: HTTP requests in, HTTP answers out.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on may panic")]
#![allow(
    clippy::format_collect,
    reason = "small documents, read more easily than folded"
)]

mod bucket_tags;
mod buckets;
mod checksums;
mod conditions;
mod configurations;
mod copying;
mod deleting;
mod deliveries;
mod encryption;
mod event_kinds;
mod forms;
mod keys;
mod lifecycle;
mod listing;
mod locks;
mod multipart;
mod notifications;
mod objects;
mod port;
mod repeated_completion;
mod sharing;
mod tagging;
mod versions;
mod websites;
mod world;
