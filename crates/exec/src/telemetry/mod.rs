//! Telemetry of one environment, for the extensions that subscribed to it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html>

mod delivery;
mod subscription;

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Timestamp;
use parking_lot::Mutex;
use sandbox::Sandbox;
use serde_json::Value;

use crate::logging::LogFormat;
use crate::logs::Platform;
use delivery::Delivery;

pub(crate) use subscription::{Api, Subscription};

/// What is kept from before anybody has subscribed, in bytes.
const MOST_EARLY: usize = 256 << 10;

/// The kinds of telemetry that an extension can subscribe to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Platform,
    Function,
    Extension,
}

impl Category {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Function => "function",
            Self::Extension => "extension",
        }
    }

    /// As Lambda's own line about a subscription names it.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Platform => "Platform",
            Self::Function => "Function",
            Self::Extension => "Extension",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Platform, Self::Function, Self::Extension]
            .into_iter()
            .find(|category| category.as_str() == name)
    }
}

/// One event, as JSON on one line.
#[derive(Clone, Debug)]
struct Event {
    category: Category,
    /// Whether both APIs have it, or only the older one, or only the newer one.
    only: Option<Api>,
    text: String,
}

/// Who wants to know, and what happened before anybody asked.
#[derive(Debug)]
pub(crate) struct Telemetry {
    sandbox: Weak<Sandbox>,
    format: LogFormat,
    state: Mutex<State>,
    /// Whether events are wanted, for those who have no time to look.
    is_wanted: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    deliveries: Vec<Delivery>,
    early: Vec<Event>,
    early_bytes: usize,
    /// The init phase is over, and nobody subscribes any more.
    is_closed: bool,
}

impl Telemetry {
    pub(crate) fn new(sandbox: Weak<Sandbox>, format: LogFormat) -> Self {
        Self {
            sandbox,
            format,
            state: Mutex::default(),
            is_wanted: AtomicBool::new(true),
        }
    }

    /// Whether it makes sense to tell it anything.
    pub(crate) fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Acquire)
    }

    /// Takes an event of Lambda's own.
    pub(crate) fn platform(&self, at: Timestamp, event: &Platform) {
        if !self.is_wanted() {
            return;
        }
        let only = match event {
            Platform::End(_) | Platform::Fault { .. } => Some(Api::Logs),
            Platform::InitStart(_)
            | Platform::InitRuntimeDone { .. }
            | Platform::InitReport { .. } => Some(Api::Telemetry),
            _ => None,
        };
        if let Some(text) = event.telemetry(at) {
            self.offer(Event {
                category: Category::Platform,
                only,
                text,
            });
        }
    }

    /// Takes a line that the function or an extension has written.
    pub(crate) fn line(&self, category: Category, at: Timestamp, line: &str) {
        if !self.is_wanted() {
            return;
        }
        // What is JSON already is not put into a string again.
        let object = (self.format == LogFormat::Json && line.trim_start().starts_with('{'))
            .then(|| serde_json::from_str::<Value>(line).ok())
            .flatten();
        let record = object.unwrap_or_else(|| line.into());
        let (time, kind) = (at.iso8601_millis(), category.as_str());
        self.offer(Event {
            category,
            only: None,
            text: format!("{{\"time\":\"{time}\",\"type\":\"{kind}\",\"record\":{record}}}"),
        });
    }

    /// Delivers to an extension from now on, and what happened before as well. False if it is too
    /// late for that.
    pub(crate) fn subscribe(&self, extension: &str, subscription: Subscription) -> bool {
        let mut state = self.state.lock();
        if state.is_closed {
            return false;
        }
        // Who subscribes again has changed its mind.
        let api = subscription.api;
        let is_same = |known: &Delivery| known.extension == extension && known.api() == api;
        state.deliveries.retain(|known| !is_same(known));
        let delivery = Delivery::begin(extension, subscription, self.sandbox.clone());
        for event in &state.early {
            delivery.offer(event);
        }
        state.deliveries.push(delivery);
        true
    }

    /// The init phase is over.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.is_closed = true;
        state.early = Vec::new();
        let wanted = !state.deliveries.is_empty();
        self.is_wanted.store(wanted, Ordering::Release);
    }

    /// Has everything delivered at once; resolves when that is done, or cannot be.
    pub(crate) async fn flush(&self) {
        let outstanding: Vec<_> = {
            let state = self.state.lock();
            state.deliveries.iter().map(Delivery::flush).collect()
        };
        for delivered in outstanding {
            delivered.await;
        }
    }

    fn offer(&self, event: Event) {
        let mut state = self.state.lock();
        for delivery in &state.deliveries {
            delivery.offer(&event);
        }
        if !state.is_closed && state.early_bytes < MOST_EARLY {
            state.early_bytes += event.text.len();
            state.early.push(event);
        }
    }
}
