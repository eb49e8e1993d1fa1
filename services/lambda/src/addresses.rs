//! Which function an address is of: what is asked on each request to one.

use std::collections::HashMap;

use parking_lot::RwLock;

use crate::domain::function_name::{FunctionName, Qualifier};
use crate::records::FunctionRecord;

/// By the address's id. The qualifier is the alias's, or none.
#[derive(Default)]
pub struct Addresses(RwLock<HashMap<String, FunctionName>>);

impl Addresses {
    pub fn find(&self, id: &str) -> Option<FunctionName> {
        self.0.read().get(id).cloned()
    }

    /// Learns of a function's new state.
    pub fn change(&self, before: Option<&FunctionRecord>, after: Option<&FunctionRecord>) {
        if before.map(|it| &it.attached.urls) == after.map(|it| &it.attached.urls) {
            return;
        }
        let mut all = self.0.write();
        for url in before.iter().flat_map(|it| it.attached.urls.values()) {
            all.remove(&url.id);
        }
        for (record, (qualifier, url)) in after
            .iter()
            .flat_map(|it| it.attached.urls.iter().map(move |url| (it, url)))
        {
            let qualifier = Qualifier::parse(qualifier);
            let name = FunctionName {
                place: record.place(),
                name: record.name.clone(),
                qualifier: Some(qualifier).filter(|it| *it != Qualifier::Latest),
            };
            all.insert(url.id.clone(), name);
        }
    }
}
