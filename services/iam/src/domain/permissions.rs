//! What may be attached to a role or user, and how much of it.

use auth::policy::Document;
use service::ServiceError;

use super::policy::check_identity;
use crate::error;
use crate::records::Permissions;

pub const MAX_ATTACHED: usize = 10;

/// What a set of permissions belongs to, which decides its quotas and its errors' words.
#[derive(Clone, Copy, Debug)]
pub struct Holder<'a> {
    /// `role` or `user`.
    pub kind: &'static str,
    pub name: &'a str,
    /// Characters of all inline policies together.
    pub max_inline: usize,
    /// `PoliciesPerRole` or `PoliciesPerUser`.
    pub attached_quota: &'static str,
}

impl Permissions {
    /// Adds or replaces an inline policy.
    pub fn put_inline(
        &mut self,
        holder: Holder<'_>,
        name: String,
        document: String,
    ) -> Result<(), ServiceError> {
        check_identity(&document)?;
        self.inline.insert(name, document);
        let size: usize = self
            .inline
            .values()
            .map(|text| Document::quota_length(text))
            .sum();
        if size > holder.max_inline {
            let Holder {
                kind,
                name,
                max_inline,
                ..
            } = holder;
            return Err(error::limit_exceeded(format!(
                "Maximum policy size of {max_inline} bytes exceeded for {kind} {name}"
            )));
        }
        Ok(())
    }

    pub fn inline(&self, holder: Holder<'_>, name: &str) -> Result<&str, ServiceError> {
        let found = self.inline.get(name).map(String::as_str);
        found.ok_or_else(|| error::not_found(&format!("{} policy", holder.kind), name))
    }

    pub fn remove_inline(&mut self, holder: Holder<'_>, name: &str) -> Result<(), ServiceError> {
        self.inline(holder, name)?;
        self.inline.remove(name);
        Ok(())
    }

    /// Attaches a managed policy that exists; again is no error.
    pub fn attach(&mut self, holder: Holder<'_>, arn: String) -> Result<(), ServiceError> {
        if self.attached.contains(&arn) {
            return Ok(());
        }
        if self.attached.len() >= MAX_ATTACHED {
            return Err(error::quota(holder.attached_quota, MAX_ATTACHED));
        }
        self.attached.push(arn);
        Ok(())
    }

    pub fn detach(&mut self, arn: &str) -> Result<(), ServiceError> {
        let before = self.attached.len();
        self.attached.retain(|attached| attached != arn);
        if self.attached.len() == before {
            return Err(error::no_such_entity(format!(
                "Policy {arn} was not found."
            )));
        }
        Ok(())
    }

    /// A holder may be deleted only once it holds nothing.
    pub fn check_empty(&self) -> Result<(), ServiceError> {
        if !self.attached.is_empty() {
            return Err(error::delete_conflict(
                "Cannot delete entity, must detach all policies first.",
            ));
        }
        if !self.inline.is_empty() {
            return Err(error::delete_conflict(
                "Cannot delete entity, must delete policies first.",
            ));
        }
        Ok(())
    }
}
