//! Whether a bus's policy lets another account put events.

use auth::policy::{self, Caller, Context, Document, Policies, PolicyKind};
use base::AccountId;

use crate::records::{Bus, Named};

pub fn lets_in(bus: &Bus, name: &Named, account: AccountId) -> bool {
    let policy = bus.policy.as_deref();
    let Some(Ok(document)) = policy.map(|text| Document::parse(text, PolicyKind::Resource)) else {
        return false;
    };
    let caller = Caller::Root { account };
    let mut keys = Context::new();
    keys.insert_caller(&caller);
    let request = policy::Request {
        caller,
        action: "events:PutEvents",
        resource: &name.arn("event-bus").to_string(),
        resource_account: name.account,
        context: &keys,
    };
    let policies = Policies {
        resource: Some(&document),
        ..Policies::default()
    };
    policy::evaluate(&request, &policies).is_allowed()
}
