//! Stream records: what they hold, and how they are stored.

use base::Timestamp;
use store::StoreError;

use super::number::Number;
use super::table::View;
use super::value::{Attribute, Item, item_size};

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Insert,
    Modify,
    Remove,
}

/// One change, as the stream's view shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub event: Event,
    pub at: Timestamp,
    pub keys: Item,
    pub new: Option<Item>,
    pub old: Option<Item>,
    /// Whether time to live removed the item, rather than a client.
    pub by_expiry: bool,
}

impl Record {
    /// The record of a change; `None` if nothing has changed.
    pub fn of(
        view: View,
        keys: Item,
        before: Option<&Item>,
        after: Option<&Item>,
        at: Timestamp,
        by_expiry: bool,
    ) -> Option<Self> {
        let event = match (before, after) {
            (None, None) => return None,
            (Some(before), Some(after)) if before == after => return None,
            (None, Some(_)) => Event::Insert,
            (Some(_), Some(_)) => Event::Modify,
            (Some(_), None) => Event::Remove,
        };
        let shows = |views: [View; 2], image: Option<&Item>| {
            image.filter(|_| views.contains(&view)).cloned()
        };
        Some(Self {
            event,
            at,
            keys,
            new: shows([View::New, View::Both], after),
            old: shows([View::Old, View::Both], before),
            by_expiry,
        })
    }

    pub fn size(&self) -> usize {
        let images = [Some(&self.keys), self.new.as_ref(), self.old.as_ref()];
        images.into_iter().flatten().map(item_size).sum()
    }

    /// As one item, so that it is stored as items are.
    pub fn into_item(self) -> Item {
        let event = match self.event {
            Event::Insert => "INSERT",
            Event::Modify => "MODIFY",
            Event::Remove => "REMOVE",
        };
        let at = Number::parse(&self.at.millis().to_string()).unwrap_or(Number::ZERO);
        let mut item = Item::from([
            ("event".to_owned(), Attribute::S(event.to_owned())),
            ("at".to_owned(), Attribute::N(at)),
            ("keys".to_owned(), Attribute::M(self.keys)),
        ]);
        let images = [("new", self.new), ("old", self.old)];
        item.extend(
            images
                .into_iter()
                .filter_map(|(name, image)| Some((name.to_owned(), Attribute::M(image?)))),
        );
        if self.by_expiry {
            item.insert("expired".to_owned(), Attribute::Bool(true));
        }
        item
    }

    pub fn from_item(mut item: Item) -> Result<Self, StoreError> {
        let mut image = |name: &str| match item.remove(name) {
            Some(Attribute::M(members)) => Some(members),
            _ => None,
        };
        let (keys, new, old) = (image("keys"), image("new"), image("old"));
        let damaged = || StoreError::corrupt("a DynamoDB stream record");
        let at = match item.get("at") {
            Some(Attribute::N(at)) => at.to_i64().ok_or_else(damaged)?,
            _ => return Err(damaged()),
        };
        let event = match item.get("event") {
            Some(Attribute::S(event)) => match event.as_str() {
                "INSERT" => Event::Insert,
                "MODIFY" => Event::Modify,
                "REMOVE" => Event::Remove,
                _ => return Err(damaged()),
            },
            _ => return Err(damaged()),
        };
        Ok(Self {
            event,
            at: Timestamp::from_millis(at),
            keys: keys.ok_or_else(damaged)?,
            new,
            old,
            by_expiry: item.contains_key("expired"),
        })
    }
}

/// A sequence number as clients see it: fixed width, so that it also sorts as text.
pub fn shown_sequence(sequence: u64) -> String {
    format!("1{sequence:020}")
}

pub fn read_sequence(text: &str) -> Option<u64> {
    let digits = text.strip_prefix('1').filter(|digits| digits.len() == 20)?;
    digits.parse().ok()
}
