//! PutBucketAcl, GetBucketAcl, PutObjectAcl, GetObjectAcl.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html>

use std::sync::Arc;

use s3s::dto::{
    self, AccessControlPolicy, GetBucketAclInput, GetBucketAclOutput, GetObjectAclInput,
    GetObjectAclOutput, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput,
    PutObjectAclOutput, Type,
};

use super::fields;
use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, Change, Update};
use crate::dispatch::Custom;
use crate::domain::acl::{self, Acl, Grant, Grantee, Owners, Permission};
use crate::domain::version_id::VersionId;
use crate::error::Error;
use crate::records::{Bucket, Ownership};
use crate::state::State;
use crate::versions;

/// An ACL as a request gives it, by one of three ways.
#[derive(Default)]
pub struct Asked {
    pub canned: Option<String>,
    /// Headers of grants.
    pub grants: Vec<(Permission, String)>,
    pub policy: Option<AccessControlPolicy>,
}

/// The headers of grants that an input has.
macro_rules! grants {
    ($input:expr, $($field:ident = $permission:ident),*) => {{
        let mut grants = Vec::new();
        $(if let Some(header) = $input.$field.take() {
            grants.push(($crate::domain::acl::Permission::$permission, header));
        })*
        grants
    }};
}
pub(super) use grants;

/// What a PutBucketAcl or PutObjectAcl asks for.
macro_rules! asked {
    ($input:expr) => {
        Asked {
            canned: $input.acl.take().map(|acl| acl.as_str().to_owned()),
            grants: grants!(
                $input,
                grant_full_control = FullControl,
                grant_read = Read,
                grant_write = Write,
                grant_read_acp = ReadAcp,
                grant_write_acp = WriteAcp
            ),
            policy: $input.access_control_policy.take(),
        }
    };
}

impl Asked {
    /// The ACL; `None` when nothing is asked for.
    ///
    /// # Errors
    /// `InvalidRequest`, `UnexpectedContent`, `InvalidArgument`, `MalformedACLError`.
    pub fn read(self, owners: Owners<'_>) -> Result<Option<Acl>, Error> {
        let by_header = self.canned.is_some() || !self.grants.is_empty();
        if self.canned.is_some() && !self.grants.is_empty() {
            let message = "Specifying both Canned ACLs and Header Grants is not allowed";
            return Err(Error::invalid_request(message));
        }
        match (self.canned, self.policy) {
            (_, Some(_)) if by_header => Err(Error::bad_request(
                "UnexpectedContent",
                "This request does not support content",
            )),
            (_, Some(policy)) => read_policy(policy, owners).map(Some),
            (Some(canned), None) => Acl::canned(&canned, owners).map(Some),
            (None, None) if by_header => {
                let mut all = Vec::new();
                for (permission, header) in self.grants {
                    all.extend(acl::parse_header(&header, permission)?);
                }
                Acl::of_grants(all).map(Some)
            }
            (None, None) => Ok(None),
        }
    }
}

fn read_policy(policy: AccessControlPolicy, owners: Owners<'_>) -> Result<Acl, Error> {
    let owner = policy.owner.and_then(|owner| owner.id);
    if owner.as_deref() != Some(owners.own) {
        return Err(owner.map_or_else(acl::malformed, |_| Error::access_denied()));
    }
    let read = |grant: dto::Grant| -> Result<Grant, Error> {
        let (Some(grantee), Some(permission)) = (grant.grantee, grant.permission) else {
            return Err(acl::malformed());
        };
        let permission = Permission::parse(permission.as_str())?;
        let grantee = match (grantee.id, grantee.uri, grantee.email_address) {
            (Some(id), ..) => acl::account(&id)?,
            (_, Some(uri), _) => acl::group(&uri)?,
            (_, _, Some(address)) => return Err(acl::no_such_email(&address)),
            _ => return Err(acl::malformed()),
        };
        Ok(acl::grant(grantee, permission))
    };
    let grants = policy.grants.unwrap_or_default().into_iter().map(read);
    Acl::of_grants(grants.collect::<Result<_, _>>()?)
}

/// # Errors
/// `AccessControlListNotSupported` where ACLs are off, `AccessDenied` where they may not be public.
pub fn check(bucket: &Bucket, acl: &Acl) -> Result<(), Error> {
    // The bucket owner's full control, however it is written, is what there is anyway.
    if *acl == Acl::private(&fields::canonical_id(bucket.owner)) {
        return Ok(());
    }
    if bucket.ownership == Ownership::BucketOwnerEnforced {
        return Err(Error::bad_request(
            "AccessControlListNotSupported",
            "The bucket does not allow ACLs",
        ));
    }
    if bucket.public_access.is_some_and(|block| block.block_acls) && acl.is_public() {
        return Err(Error::access_denied());
    }
    Ok(())
}

/// Where ACLs are off there are two that say nothing else.
pub fn is_harmless(canned: Option<&str>) -> bool {
    matches!(canned, Some("private" | "bucket-owner-full-control"))
}

fn write(acl: Acl) -> Vec<dto::Grant> {
    let grants = acl.grants.into_iter().map(|grant| {
        let (id, uri, kind) = match grant.grantee {
            Grantee::Account(id) => (Some(id), None, Type::CANONICAL_USER),
            Grantee::Group(uri) => (None, Some(uri), Type::GROUP),
        };
        let grantee = dto::Grantee {
            display_name: None,
            email_address: None,
            id,
            type_: Type::from_static(kind),
            uri,
        };
        dto::Grant {
            grantee: Some(grantee),
            permission: Some(dto::Permission::from_static(grant.permission.name())),
        }
    });
    grants.collect()
}

pub async fn get_bucket_acl(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetBucketAclInput,
) -> Result<GetBucketAclOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let owner = fields::owner(bucket.owner);
    let private = || Acl::private(&fields::canonical_id(bucket.owner));
    Ok(GetBucketAclOutput {
        grants: Some(write(bucket.acl.unwrap_or_else(private))),
        owner: Some(owner),
    })
}

pub async fn get_object_acl(
    state: Arc<State>,
    call: Arc<Call>,
    input: GetObjectAclInput,
) -> Result<Custom<GetObjectAclOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let version = VersionId::read(input.version_id.as_deref())?;
    let object = versions::find(&*state.store, &input.bucket, &input.key, version.as_ref()).await?;
    let version_id = fields::version_id(&bucket, &object);
    let private = || Acl::private(&fields::canonical_id(bucket.owner));
    let acl = match bucket.ownership {
        Ownership::BucketOwnerEnforced => private(),
        _ => object.attributes.acl.unwrap_or_else(private),
    };
    let output = GetObjectAclOutput {
        grants: Some(write(acl)),
        owner: Some(fields::owner(bucket.owner)),
        request_charged: None,
    };
    Ok(Custom::of_version(output, version_id))
}

pub async fn put_bucket_acl(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: PutBucketAclInput,
) -> Result<PutBucketAclOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let asked = asked!(input);
    let acl = read_required(asked, &bucket)?;
    buckets::update(&state, &call, &input.bucket, owner, |bucket, _| {
        check(bucket, &acl)?;
        bucket.acl = Some(acl.clone());
        Ok(())
    })
    .await?;
    Ok(PutBucketAclOutput {})
}

fn read_required(asked: Asked, bucket: &Bucket) -> Result<Acl, Error> {
    let id = fields::canonical_id(bucket.owner);
    let owners = Owners {
        own: &id,
        bucket: &id,
    };
    asked.read(owners)?.ok_or_else(|| {
        let message = "Your request was missing a required header";
        Error::bad_request("MissingSecurityHeader", message).with("MissingHeaderName", "x-amz-acl")
    })
}

pub async fn put_object_acl(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: PutObjectAclInput,
) -> Result<Custom<PutObjectAclOutput>, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner)
        .await?
        .value;
    let version = VersionId::read(input.version_id.as_deref())?;
    let asked = asked!(input);
    let acl = read_required(asked, &bucket)?;
    check(&bucket, &acl)?;
    let change = Change {
        key: input.key,
        action: Action::Update {
            version,
            update: Update::Acl(acl),
        },
    };
    let committed = commit::apply(&state, &call, &input.bucket, change, None).await?;
    let output = PutObjectAclOutput::default();
    Ok(Custom::of_version(output, committed.outcome.version_id))
}
