//! Whether a decoded request keeps within its model, in AWS's words.

/// How one service words a request that breaks its model.
#[derive(Debug)]
pub struct ValidationPolicy {
    /// The error code of a broken constraint.
    pub code: &'static str,
    /// The same in the query protocol, where it differs.
    pub query_code: Option<&'static str>,
    /// How a missing required member is reported.
    pub missing: MissingMember,
}

/// How a missing required member is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingMember {
    /// Among the other constraints: `Value null at 'role' failed to satisfy constraint: Member must
    /// not be null`.
    AsConstraint,
    /// On its own: `The request must contain the parameter QueueUrl.`
    AsParameter {
        code: &'static str,
        query_code: &'static str,
    },
}
