//! The pools of every function version, those of tenants apart: what serves one tenant never serves
//! another.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/tenant-isolation.html>

use std::collections::HashMap;
use std::sync::Arc;

use super::pool::Pool;
use crate::function::FunctionKey;

/// Tenants of one version beyond which those are forgotten that have no environment.
const MANY_TENANTS: usize = 64;

#[derive(Default)]
pub(crate) struct Pools {
    /// Of versions without tenants.
    plain: HashMap<FunctionKey, Arc<Pool>>,
    tenants: HashMap<FunctionKey, HashMap<String, Arc<Pool>>>,
}

impl Pools {
    pub(crate) fn get(&self, key: &FunctionKey, tenant: Option<&str>) -> Option<&Arc<Pool>> {
        match tenant {
            None => self.plain.get(key),
            Some(tenant) => self.tenants.get(key)?.get(tenant),
        }
    }

    /// Puts a pool in the place of another, if there is one.
    pub(crate) fn insert(
        &mut self,
        key: FunctionKey,
        tenant: Option<&str>,
        pool: Arc<Pool>,
    ) -> Option<Arc<Pool>> {
        let Some(tenant) = tenant else {
            return self.plain.insert(key, pool);
        };
        let pools = self.tenants.entry(key).or_default();
        if pools.len() >= MANY_TENANTS {
            // An event that is on its way to one of them still finds it, and makes it its own.
            pools.retain(|_, pool| !pool.is_deserted());
        }
        pools.insert(tenant.to_owned(), pool)
    }

    /// All pools of a version.
    pub(crate) fn remove(&mut self, key: &FunctionKey) -> Vec<Arc<Pool>> {
        let plain = self.plain.remove(key);
        let tenants = self.tenants.remove(key).unwrap_or_default();
        plain.into_iter().chain(tenants.into_values()).collect()
    }

    /// All pools of all versions.
    pub(crate) fn drain(&mut self) -> Vec<Arc<Pool>> {
        let plain = std::mem::take(&mut self.plain);
        let tenants = std::mem::take(&mut self.tenants);
        let tenants = tenants.into_values().flat_map(HashMap::into_values);
        plain.into_values().chain(tenants).collect()
    }
}
