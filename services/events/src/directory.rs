//! All buses, rules and archives, in memory as in the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use patterns::{Event as Matched, Pattern, PatternSet};
use store::{Key, Store, StoreError};

use crate::domain::event::Event;
use crate::domain::{managed, names};
use crate::records::{
    API_DESTINATIONS, ARCHIVES, Archive, BUSES, Bus, DEFAULT_BUS, Named, RULES, Rule,
};

/// Records read at once.
const PAGE: usize = 1_000;

#[derive(Default)]
pub struct Directory {
    buses: RwLock<BTreeMap<Named, OpenBus>>,
    archives: RwLock<BTreeMap<Named, Arc<OpenArchive>>>,
    /// Requests a second of API destinations, by ARN.
    rates: RwLock<BTreeMap<String, u32>>,
}

#[derive(Default)]
struct OpenBus {
    record: Arc<Bus>,
    rules: BTreeMap<String, Arc<Rule>>,
    /// Of the rules that are enabled and have a pattern.
    patterns: PatternSet<String>,
}

pub struct OpenArchive {
    pub name: Named,
    pub record: Archive,
    pattern: Option<Pattern>,
}

impl OpenArchive {
    fn new(name: Named, record: Archive) -> Self {
        let pattern = record.pattern.as_deref().map(Pattern::parse);
        Self {
            name,
            pattern: pattern.and_then(Result::ok),
            record,
        }
    }
}

impl Directory {
    pub async fn open(store: &dyn Store) -> Result<Self, StoreError> {
        let opened = Self::default();
        let mut after = None;
        loop {
            let page = BUSES.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                opened.put_bus(name_of(&row.key)?.0, row.value);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = RULES.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                let (bus, mut rest) = name_of(&row.key)?;
                opened.put_rule(&bus, &rest.text()?, row.value);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = API_DESTINATIONS
                .scan(store, (), after.as_ref(), PAGE)
                .await?;
            for row in page.rows {
                let arn = name_of(&row.key)?
                    .0
                    .arn_with_id("api-destination", &row.value.id);
                opened.put_rate(arn, row.value.rate);
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let page = ARCHIVES.scan(store, (), after.as_ref(), PAGE).await?;
            for row in page.rows {
                opened.put_archive(name_of(&row.key)?.0, row.value);
            }
            after = page.next;
            if after.is_none() {
                return Ok(opened);
            }
        }
    }

    /// Every account has a default bus.
    pub fn bus(&self, name: &Named) -> Option<Arc<Bus>> {
        match self.buses.read().get(name) {
            Some(bus) => Some(Arc::clone(&bus.record)),
            None if name.name == DEFAULT_BUS => Some(Arc::default()),
            None => None,
        }
    }

    pub fn put_bus(&self, name: Named, record: Bus) {
        self.buses.write().entry(name).or_default().record = Arc::new(record);
    }

    pub fn remove_bus(&self, name: &Named) {
        self.buses.write().remove(name);
    }

    /// The buses of an account and region in order of names, the default one among them.
    pub fn buses(&self, like: &Named) -> Vec<(Named, Arc<Bus>)> {
        let mut buses: BTreeMap<Named, Arc<Bus>> = self
            .buses
            .read()
            .iter()
            .filter(|(name, _)| name.account == like.account && name.region == like.region)
            .map(|(name, bus)| (name.clone(), Arc::clone(&bus.record)))
            .collect();
        let default = Named {
            name: DEFAULT_BUS.to_owned(),
            ..like.clone()
        };
        buses.entry(default).or_default();
        buses.into_iter().collect()
    }

    pub fn rule(&self, bus: &Named, rule: &str) -> Option<Arc<Rule>> {
        self.buses.read().get(bus)?.rules.get(rule).cloned()
    }

    pub fn rules(&self, bus: &Named) -> Vec<(String, Arc<Rule>)> {
        let buses = self.buses.read();
        let rules = buses.get(bus).map(|bus| bus.rules.iter());
        rules
            .into_iter()
            .flatten()
            .map(|(name, rule)| (name.clone(), Arc::clone(rule)))
            .collect()
    }

    pub fn all_rules(&self) -> Vec<(Named, String, Arc<Rule>)> {
        let buses = self.buses.read();
        buses
            .iter()
            .flat_map(|(bus, open)| {
                let rules = open.rules.iter();
                rules.map(|(name, rule)| (bus.clone(), name.clone(), Arc::clone(rule)))
            })
            .collect()
    }

    pub fn put_rule(&self, bus: &Named, name: &str, rule: Rule) {
        let mut buses = self.buses.write();
        let bus = buses.entry(bus.clone()).or_default();
        let key = name.to_owned();
        let pattern = rule.pattern.as_deref().filter(|_| rule.is_enabled());
        match pattern.map(Pattern::parse) {
            Some(Ok(pattern)) => bus.patterns.insert(key.clone(), &pattern),
            _ => {
                bus.patterns.remove(&key);
            }
        }
        bus.rules.insert(key, Arc::new(rule));
    }

    pub fn remove_rule(&self, bus: &Named, name: &str) {
        if let Some(bus) = self.buses.write().get_mut(bus) {
            bus.rules.remove(name);
            bus.patterns.remove(&name.to_owned());
        }
    }

    pub fn put_rate(&self, arn: String, rate: i32) {
        let rate = u32::try_from(rate).unwrap_or(1).max(1);
        self.rates.write().insert(arn, rate);
    }

    /// How many requests a second an API destination takes.
    pub fn rate(&self, arn: &str) -> Option<u32> {
        self.rates.read().get(arn).copied()
    }

    /// The enabled rules of a bus that want an event.
    pub fn matching(&self, bus: &Named, event: &Matched<'_>) -> Vec<(String, Arc<Rule>)> {
        let buses = self.buses.read();
        let Some(bus) = buses.get(bus) else {
            return Vec::new();
        };
        let names = bus.patterns.matches(event).into_iter();
        names
            .filter_map(|name| {
                let rule = Arc::clone(bus.rules.get(&name)?);
                Some((name, rule))
            })
            .collect()
    }

    pub fn archive(&self, name: &Named) -> Option<Arc<OpenArchive>> {
        self.archives.read().get(name).cloned()
    }

    pub fn archives(&self) -> Vec<Arc<OpenArchive>> {
        self.archives.read().values().cloned().collect()
    }

    pub fn put_archive(&self, name: Named, record: Archive) {
        if let Some(bus) = names::of_arn(&record.source, "event-bus") {
            let rule = managed::rule(&name, record.pattern.as_deref());
            let mut buses = self.buses.write();
            let rules = &mut buses.entry(bus).or_default().rules;
            let made = rules.entry(managed::name(&name.name)).or_default();
            // A client may have one of that name.
            if made.managed_by.is_some() || **made == Rule::default() {
                *made = Arc::new(rule);
            }
        }
        let open = OpenArchive::new(name.clone(), record);
        self.archives.write().insert(name, Arc::new(open));
    }

    pub fn remove_archive(&self, name: &Named) {
        let mut buses = self.buses.write();
        let removed = self.archives.write().remove(name);
        let bus = removed.and_then(|one| names::of_arn(&one.record.source, "event-bus"));
        let rule = managed::name(&name.name);
        if let Some(open) = bus.and_then(|bus| buses.get_mut(&bus))
            && let Some(made) = open.rules.get(&rule)
            && made.managed_by.is_some()
        {
            open.rules.remove(&rule);
        }
    }

    /// The archives that keep an event of a bus.
    pub fn keeping(&self, bus: &Named, event: &Event, matched: &Matched<'_>) -> Vec<Named> {
        let archives = self.archives.read();
        if archives.is_empty() || event.replay.is_some() {
            return Vec::new();
        }
        let source = bus.arn("event-bus").to_string();
        let wants = |one: &&Arc<OpenArchive>| {
            one.record.source == source
                && one
                    .pattern
                    .as_ref()
                    .is_none_or(|pattern| pattern.matches(matched))
        };
        let keeping = archives.values().filter(wants);
        keeping.map(|one| one.name.clone()).collect()
    }
}

impl Rule {
    pub fn is_enabled(&self) -> bool {
        self.state != "DISABLED"
    }
}

/// The first three parts of a key, and the rest.
pub fn name_of(key: &Key) -> Result<(Named, store::KeyReader<'_>), StoreError> {
    let damaged = || StoreError::corrupt("a key of EventBridge names no account or region");
    let mut parts = key.reader();
    let name = Named {
        account: parts.text()?.parse().map_err(|_| damaged())?,
        region: parts.text()?.parse().map_err(|_| damaged())?,
        name: parts.text()?,
    };
    Ok((name, parts))
}
