//! CreateArchive, UpdateArchive, DescribeArchive, ListArchives, DeleteArchive.

use std::sync::Arc;

use patterns::Pattern;
use service::{RequestContext, ServiceError};
use store::Batch;

use super::State;
use crate::directory::OpenArchive;
use crate::domain::{names, page};
use crate::error;
use crate::generated as g;
use crate::records::{ARCHIVED, ARCHIVES, Archive, Named};

const ENABLED: Option<g::ArchiveState> = Some(g::ArchiveState::Enabled);

fn check_pattern(pattern: Option<&String>) -> Result<(), ServiceError> {
    match pattern.map(|text| Pattern::parse(text)) {
        Some(Err(reason)) => Err(error::invalid_pattern(reason)),
        _ => Ok(()),
    }
}

fn find(
    events: &State,
    context: &RequestContext,
    name: &str,
) -> Result<Arc<OpenArchive>, ServiceError> {
    events
        .directory
        .archive(&names::own(context, name))
        .ok_or_else(|| error::not_found(format!("Archive {name} does not exist.")))
}

async fn save(events: &State, name: Named, archive: Archive) -> Result<(), ServiceError> {
    let mut batch = Batch::new();
    let put = ARCHIVES.put(&mut batch, name.key(), &archive);
    events.commit(put.map(|()| batch)).await?;
    events.directory.put_archive(name, archive);
    Ok(())
}

pub async fn create(
    events: State,
    context: RequestContext,
    input: g::CreateArchiveRequest,
) -> Result<g::CreateArchiveResponse, ServiceError> {
    check_pattern(input.event_pattern.as_ref())?;
    let _one_writer = events.writer.lock().await;
    events.own_bus(&context, Some(&input.event_source_arn))?;
    let name = names::own(&context, &input.archive_name);
    if events.directory.archive(&name).is_some() {
        return Err(error::exists(format!(
            "Archive {} already exists.",
            name.name
        )));
    }
    let now = events.clock.now();
    let archive = Archive {
        source: input.event_source_arn,
        description: input.description,
        pattern: input.event_pattern,
        retention_days: input.retention_days.unwrap_or(0),
        kms_key: input.kms_key_identifier,
        created: now,
    };
    let arn = name.arn("archive").to_string();
    save(&events, name, archive).await?;
    Ok(g::CreateArchiveResponse {
        archive_arn: Some(arn),
        state: ENABLED,
        state_reason: None,
        creation_time: Some(now),
    })
}

pub async fn update(
    events: State,
    context: RequestContext,
    input: g::UpdateArchiveRequest,
) -> Result<g::UpdateArchiveResponse, ServiceError> {
    check_pattern(input.event_pattern.as_ref())?;
    let _one_writer = events.writer.lock().await;
    let found = find(&events, &context, &input.archive_name)?;
    let mut archive = found.record.clone();
    archive.description = input.description.or(archive.description);
    archive.pattern = input.event_pattern.or(archive.pattern);
    archive.retention_days = input.retention_days.unwrap_or(archive.retention_days);
    archive.kms_key = input.kms_key_identifier.or(archive.kms_key);
    let answer = g::UpdateArchiveResponse {
        archive_arn: Some(found.name.arn("archive").to_string()),
        state: ENABLED,
        state_reason: None,
        creation_time: Some(archive.created),
    };
    save(&events, found.name.clone(), archive).await?;
    Ok(answer)
}

/// How many events an archive has, and their bytes.
async fn size(events: &State, name: &Named) -> Result<(i64, i64), ServiceError> {
    let (mut count, mut bytes) = (0, 0);
    let mut after = None;
    loop {
        let page = ARCHIVED
            .scan(&*events.store, name.key(), after.as_ref(), 500)
            .await
            .map_err(|error| error::unavailable(&error))?;
        count += page.rows.len() as i64;
        let lengths = page.rows.iter().map(|row| row.value.text().len() as i64);
        bytes += lengths.sum::<i64>();
        after = page.next;
        if after.is_none() {
            return Ok((count, bytes));
        }
    }
}

pub async fn describe(
    events: State,
    context: RequestContext,
    input: g::DescribeArchiveRequest,
) -> Result<g::DescribeArchiveResponse, ServiceError> {
    let found = find(&events, &context, &input.archive_name)?;
    let (count, bytes) = size(&events, &found.name).await?;
    let record = &found.record;
    Ok(g::DescribeArchiveResponse {
        archive_arn: Some(found.name.arn("archive").to_string()),
        archive_name: Some(found.name.name.clone()),
        event_source_arn: Some(record.source.clone()),
        description: record.description.clone(),
        event_pattern: record.pattern.clone(),
        state: ENABLED,
        state_reason: None,
        kms_key_identifier: record.kms_key.clone(),
        retention_days: Some(record.retention_days),
        size_bytes: Some(bytes),
        event_count: Some(count),
        creation_time: Some(record.created),
    })
}

pub async fn list(
    events: State,
    context: RequestContext,
    input: g::ListArchivesRequest,
) -> Result<g::ListArchivesResponse, ServiceError> {
    page::check_filters(
        "ListArchives",
        input.state.is_some(),
        input.event_source_arn.is_some(),
        input.name_prefix.is_some(),
    )?;
    let prefix = input.name_prefix.unwrap_or_default();
    let wanted = events.directory.archives().into_iter().filter(|one| {
        one.name.account == context.account
            && one.name.region == context.region
            && one.name.name.starts_with(&prefix)
            && input
                .event_source_arn
                .as_ref()
                .is_none_or(|source| *source == one.record.source)
            && input.state.is_none_or(|state| Some(state) == ENABLED)
    });
    let keyed = wanted.map(|one| (one.name.name.clone(), one));
    let (page, next_token) = page::cut(keyed, input.next_token.as_deref(), input.limit)?;
    let mut archives = Vec::with_capacity(page.len());
    for (name, one) in page {
        let (count, bytes) = size(&events, &one.name).await?;
        archives.push(g::Archive {
            archive_name: Some(name),
            event_source_arn: Some(one.record.source.clone()),
            state: ENABLED,
            state_reason: None,
            retention_days: Some(one.record.retention_days),
            size_bytes: Some(bytes),
            event_count: Some(count),
            creation_time: Some(one.record.created),
        });
    }
    Ok(g::ListArchivesResponse {
        archives: Some(archives),
        next_token,
    })
}

pub async fn delete(
    events: State,
    context: RequestContext,
    input: g::DeleteArchiveRequest,
) -> Result<g::DeleteArchiveResponse, ServiceError> {
    let _one_writer = events.writer.lock().await;
    let name = find(&events, &context, &input.archive_name)?.name.clone();
    let mut batch = Batch::new();
    ARCHIVES.delete(&mut batch, name.key());
    ARCHIVED.delete_prefix(&mut batch, name.key());
    events.commit(Ok(batch)).await?;
    events.directory.remove_archive(&name);
    Ok(g::DeleteArchiveResponse {})
}
