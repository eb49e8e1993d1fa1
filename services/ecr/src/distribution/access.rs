//! What the holder of a token may do: what its policies allow of the operations that a request is
//! made of.

use auth::policy::{self, Decision, Document, Policies, PolicyKind};
use http::Method;
use http::request::Parts;
use service::RequestContext;
use service::ports::Credentials;

use super::Call;
use super::answer::Failure;
use super::route::{self, Target};
use crate::domain::token::Token;

/// A download address is good for its one layer.
pub fn is_for(token: &Token, parts: &Parts) -> bool {
    let Some((repository, layer)) = &token.layer else {
        return true;
    };
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    match route::target(parts.uri.path()) {
        Some(Target::Blob { name, digest }) => reads && name == *repository && digest == *layer,
        _ => false,
    }
}

/// Refuses what the token's holder may not do now, or one who is nobody any more.
pub async fn check(
    call: &Call<'_>,
    token: &Token,
    credentials: &dyn Credentials,
    context: &RequestContext,
) -> Result<(), Failure> {
    let principal = token.holder.principal(token.account);
    let principal = principal.ok_or_else(Failure::unauthorized)?;
    let holder = credentials.of(&principal).await;
    let holder = holder.ok_or_else(Failure::unauthorized)?;
    // Whoever got the address was allowed to.
    if token.layer.is_some() {
        return Ok(());
    }
    let parse = |text: &String| {
        Document::parse(text, PolicyKind::Identity).unwrap_or_else(|error| {
            tracing::warn!(%error, "a stored policy does not parse; it allows nothing");
            Document::union([])
        })
    };
    let identity: Vec<Document> = holder.identity_policies.iter().map(parse).collect();
    let boundaries: Vec<Document> = holder.boundaries.iter().map(parse).collect();
    let caller = principal.in_policies();
    let mut keys = context.condition_keys();
    keys.insert("aws:RequestedRegion", call.region.as_str());
    keys.insert_caller(&caller);
    for (action, resource) in accesses(call) {
        let request = policy::Request {
            caller,
            action,
            resource: &resource,
            resource_account: call.account,
            context: &keys,
        };
        let policies = Policies {
            identity: &identity,
            boundaries: &boundaries,
            resource: None,
        };
        if policy::evaluate(&request, &policies) != Decision::Allowed {
            return Err(Failure::not_allowed(&principal.name(), action, &resource));
        }
    }
    Ok(())
}

/// The operations of ECR that a request stands for, and what they are about.
fn accesses(call: &Call<'_>) -> Vec<(&'static str, String)> {
    let Some(target) = route::target(call.parts.uri.path()) else {
        return Vec::new();
    };
    let method = &call.parts.method;
    let reads = matches!(*method, Method::GET | Method::HEAD);
    let action = match &target {
        Target::Version => return Vec::new(),
        Target::Catalog => "ecr:DescribeRepositories",
        Target::Tags { .. } => "ecr:ListImages",
        Target::Referrers { .. } => "ecr:ListImageReferrers",
        Target::Manifest { .. } if reads => "ecr:BatchGetImage",
        Target::Manifest { .. } if *method == Method::DELETE => "ecr:BatchDeleteImage",
        Target::Manifest { .. } => "ecr:PutImage",
        Target::Blob { .. } if *method == Method::HEAD => "ecr:BatchCheckLayerAvailability",
        Target::Blob { .. } => "ecr:GetDownloadUrlForLayer",
        Target::Uploads { .. } => "ecr:InitiateLayerUpload",
        Target::Upload { .. } if *method == Method::PUT => "ecr:CompleteLayerUpload",
        Target::Upload { .. } => "ecr:UploadLayerPart",
    };
    let arn = |name: &str| call.repository(name).arn().to_string();
    let resource = target.repository().map_or_else(|| arn("*"), arn);
    let mut all = vec![(action, resource)];
    // What is mounted is read from where it is.
    if let (Target::Uploads { .. }, Some(from)) = (&target, call.parameter("from")) {
        all.push(("ecr:GetDownloadUrlForLayer", arn(&from)));
    }
    all
}
