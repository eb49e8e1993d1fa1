//! What an operation knows about the call it answers.

use std::net::SocketAddr;

use base::{AccountId, Arn, Region, RequestId, Timestamp};

use crate::Reach;

/// One call, after authentication. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub request_id: RequestId,
    /// The account whose resources the call is about.
    pub account: AccountId,
    /// The region of the credential scope, or the server's default.
    pub region: Region,
    pub principal: Principal,
    pub origin: Origin,
    /// When the gateway had the request head, or the in-process caller made the call.
    pub received_at: Timestamp,
    /// `X-Amzn-Trace-Id`, as received or as made by the gateway.
    pub trace: Option<String>,
    /// How far what the server sends for the call may go, now and by what the call leaves behind.
    pub reach: Reach,
}

/// Who makes the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// No signature, or permissive mode with credentials nobody issued: the account's root.
    Root { account: AccountId },
    /// A user with a long-lived access key.
    User { arn: Arn, user_id: String },
    /// A role's session, made by AssumeRole.
    Session {
        arn: Arn,
        role_arn: Arn,
        session_id: String,
    },
    /// An AWS service acting for a resource, such as `s3.amazonaws.com` for a bucket.
    Service {
        name: &'static str,
        source_arn: Option<Arn>,
        source_account: Option<AccountId>,
    },
}

/// Where the call came in.
#[derive(Clone, Debug)]
pub enum Origin {
    /// Over HTTP. `authority` is the `Host` the client used, for URLs that must lead back here.
    Http {
        peer: Option<SocketAddr>,
        authority: Option<String>,
        user_agent: Option<String>,
        is_tls: bool,
    },
    /// Through a port, from another service in this process.
    Internal,
}

impl RequestContext {
    /// A call one service makes on another's API in its own name.
    pub fn internal(
        principal: Principal,
        account: AccountId,
        region: Region,
        received_at: Timestamp,
    ) -> Self {
        Self {
            request_id: RequestId::random(),
            account,
            region,
            principal,
            origin: Origin::Internal,
            received_at,
            trace: None,
            reach: Reach::Anywhere,
        }
    }

    /// The same, for what goes no further than `reach`.
    #[must_use]
    pub fn within(self, reach: Reach) -> Self {
        Self {
            reach: self.reach.and(reach),
            ..self
        }
    }

    /// Whether it may name what lies on this machine, such as a folder with code. Functions may not, nor may
    /// what acts on behalf of a resource, which a function can have made.
    pub fn may_name_files(&self) -> bool {
        matches!(self.origin, Origin::Http { .. }) && self.reach.is_anywhere()
    }

    /// The authority (host and port) the client reached us by, if it came over HTTP.
    pub fn authority(&self) -> Option<&str> {
        match &self.origin {
            Origin::Http { authority, .. } => authority.as_deref(),
            Origin::Internal => None,
        }
    }
}
