//! One rule for one value, and its text.

use std::fmt;

use crate::Value;
use crate::scalar;
use crate::schema::{Bounds, PatternSchema, Schema};

#[derive(Clone, Copy, Debug)]
pub enum Constraint {
    OneOf(&'static [&'static str]),
    Pattern(&'static PatternSchema),
    LengthAtMost(i64),
    LengthAtLeast(i64),
    AtMost { bound: i64, is_float: bool },
    AtLeast { bound: i64, is_float: bool },
}

/// The rules for a value itself, in the order AWS reports them. Those for its parts are the parts'.
pub fn of(schema: Schema) -> Vec<Constraint> {
    let mut all = Vec::new();
    match schema {
        Schema::String(string) => {
            if !string.values.is_empty() {
                all.push(Constraint::OneOf(string.values));
            }
            all.extend(string.pattern.map(Constraint::Pattern));
            length(string.bounds, &mut all);
        }
        Schema::Blob(bounds) => length(*bounds, &mut all),
        Schema::List(list) => length(list.bounds, &mut all),
        Schema::Map(map) => length(map.bounds, &mut all),
        Schema::Integer(bounds) | Schema::Long(bounds) => range(*bounds, false, &mut all),
        Schema::Float(bounds) => range(*bounds, true, &mut all),
        _ => {}
    }
    all
}

/// Whether nothing about such a value can be wrong, so that it need not be looked at.
pub fn is_free(schema: Schema) -> bool {
    match schema {
        Schema::String(string) => {
            string.values.is_empty() && string.pattern.is_none() && string.bounds == Bounds::NONE
        }
        Schema::Integer(bounds)
        | Schema::Long(bounds)
        | Schema::Float(bounds)
        | Schema::Blob(bounds) => *bounds == Bounds::NONE,
        Schema::Boolean | Schema::Timestamp(_) | Schema::Document => true,
        Schema::Structure(_) | Schema::List(_) | Schema::Map(_) => false,
    }
}

/// All of a part's rules, as its container's message names them: broken or not, lengths first.
pub fn together(constraints: &[Constraint]) -> String {
    let (lengths, others): (Vec<_>, Vec<_>) = constraints.iter().partition(|constraint| {
        matches!(
            constraint,
            Constraint::LengthAtMost(_) | Constraint::LengthAtLeast(_)
        )
    });
    let mut texts: Vec<String> = lengths
        .into_iter()
        .chain(others)
        .map(ToString::to_string)
        .collect();
    texts.push("Member must not be null".to_owned());
    format!("[{}]", texts.join(", "))
}

fn length(bounds: Bounds, all: &mut Vec<Constraint>) {
    all.extend(bounds.max.map(Constraint::LengthAtMost));
    all.extend(bounds.min.map(Constraint::LengthAtLeast));
}

fn range(bounds: Bounds, is_float: bool, all: &mut Vec<Constraint>) {
    all.extend(
        bounds
            .max
            .map(|bound| Constraint::AtMost { bound, is_float }),
    );
    all.extend(
        bounds
            .min
            .map(|bound| Constraint::AtLeast { bound, is_float }),
    );
}

impl Constraint {
    /// As messages say it that put it in quotes.
    pub fn in_quotes(&self) -> String {
        match self {
            Self::Pattern(pattern) => {
                format!("must satisfy regular expression '{}'", pattern.shown)
            }
            Self::OneOf(_) => self.to_string(),
            _ => self.to_string().replacen("Member ", "", 1),
        }
    }

    pub fn holds(&self, value: &Value) -> bool {
        match value {
            Value::Str(text) => self.holds_for_text(text),
            Value::Blob(bytes) => self.holds_for_length(|| bytes.len()),
            Value::List(items) => self.holds_for_length(|| items.len()),
            Value::Map(entries) => self.holds_for_length(|| entries.len()),
            Value::Int(number) => self.holds_for_number(*number as f64),
            Value::Float(number) => self.holds_for_number(*number),
            _ => true,
        }
    }

    pub fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Self::OneOf(values) => values.contains(&text),
            Self::Pattern(pattern) => pattern.matches(text),
            // A UTF-8 text has at least as many bytes as UTF-16 units, which AWS counts.
            Self::LengthAtMost(most) if usize::try_from(*most).is_ok_and(|m| text.len() <= m) => {
                true
            }
            _ => self.holds_for_length(|| text.encode_utf16().count()),
        }
    }

    fn holds_for_length(&self, length: impl FnOnce() -> usize) -> bool {
        let length = || i64::try_from(length()).unwrap_or(i64::MAX);
        match self {
            Self::LengthAtMost(most) => length() <= *most,
            Self::LengthAtLeast(least) => length() >= *least,
            _ => true,
        }
    }

    fn holds_for_number(&self, number: f64) -> bool {
        match self {
            Self::AtMost { bound, .. } => number <= *bound as f64,
            Self::AtLeast { bound, .. } => number >= *bound as f64,
            _ => true,
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |bound: i64, is_float: bool| {
            if is_float {
                scalar::format_float(bound as f64)
            } else {
                bound.to_string()
            }
        };
        match self {
            Self::OneOf(values) => {
                write!(
                    f,
                    "Member must satisfy enum value set: [{}]",
                    values.join(", ")
                )
            }
            Self::Pattern(pattern) => {
                write!(
                    f,
                    "Member must satisfy regular expression pattern: {}",
                    pattern.shown
                )
            }
            Self::LengthAtMost(most) => {
                write!(f, "Member must have length less than or equal to {most}")
            }
            Self::LengthAtLeast(least) => {
                write!(
                    f,
                    "Member must have length greater than or equal to {least}"
                )
            }
            Self::AtMost { bound, is_float } => {
                let bound = number(*bound, *is_float);
                write!(f, "Member must have value less than or equal to {bound}")
            }
            Self::AtLeast { bound, is_float } => {
                let bound = number(*bound, *is_float);
                write!(f, "Member must have value greater than or equal to {bound}")
            }
        }
    }
}
