//! Event patterns: which events a rule, a subscription or an event source mapping wants.
//!
//! One language for three services, AWS's own: EventBridge's event patterns, SNS's filter policies
//! and Lambda's filter criteria.
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>
//!
//! ```
//! use patterns::{Event, Pattern, PatternSet};
//!
//! let large = Pattern::parse(r#"{"detail": {"size": [{"numeric": [">", 100]}]}}"#)?;
//! let body = serde_json::json!({"source": "shop", "detail": {"size": 120}});
//! let event = Event::of(&body);
//! assert!(large.matches(&event));
//!
//! let mut rules = PatternSet::new();
//! rules.insert("large", &large);
//! assert_eq!(rules.matches(&event), ["large"]);
//! # Ok::<(), patterns::PatternError>(())
//! ```
//!
//! # What is absent
//! Which keys an event has, who sent it, and anything of a service's own.

mod branches;
mod event;
mod explain;
mod matcher;
mod parse;
mod pattern;
mod ranges;
mod set;
mod tokens;
mod wildcard;

pub use event::Event;
pub use explain::unmet_fields;
pub use parse::PatternError;
pub use pattern::Pattern;
pub use set::PatternSet;
pub use wildcard::matches_wildcard;
