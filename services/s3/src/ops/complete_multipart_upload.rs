//! CompleteMultipartUpload: the parts become an object without being copied.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html>

use std::collections::HashSet;
use std::sync::Arc;

use base::Timestamp;
use md5::{Digest as _, Md5};
use s3s::dto::{
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CompletedPart,
    ServerSideEncryption,
};
use store::{BlobId, Row};

use super::fields::{self, checksum_values, set_checksum};
use super::repeated_completion;
use crate::buckets;
use crate::call::Call;
use crate::commit::{self, Action, Change, Extend, Payload};
use crate::domain::checksum::{self, Algorithm, Checksum, Kind};
use crate::domain::notification::EventKind;
use crate::error::Error;
use crate::objects;
use crate::records::{self, Content, Manifest, ManifestPart, Object, PARTS, Part, UPLOADS, Upload};
use crate::state::State;
use crate::uploads;

/// Fewest bytes of a part that is not the last.
const MIN_PART: u64 = 5 * 1024 * 1024;
/// How often a part may be replaced while the upload is completed.
const MAX_ATTEMPTS: usize = 20;

pub async fn complete_multipart_upload(
    state: Arc<State>,
    call: Arc<Call>,
    mut input: CompleteMultipartUploadInput,
) -> Result<CompleteMultipartUploadOutput, Error> {
    let owner = input.expected_bucket_owner.as_deref();
    let bucket = buckets::find_of(&state, &call, &input.bucket, owner).await?;
    call.conditions.check_writable()?;
    let asked = Asked {
        checksum: fields::one_checksum(checksum_values!(input))?,
        kind: input
            .checksum_type
            .as_ref()
            .map(|kind| Kind::parse(kind.as_str()))
            .transpose()?,
        size: input
            .mpu_object_size
            .and_then(|size| u64::try_from(size).ok()),
        parts: read_parts(
            input
                .multipart_upload
                .take()
                .and_then(|upload| upload.parts),
        )?,
    };
    for _ in 0..MAX_ATTEMPTS {
        let (key, upload_id) = (input.key.as_str(), input.upload_id.as_str());
        let upload = uploads::get(&state, &input.bucket, key, upload_id).await?;
        let done = match upload {
            Some(upload) => complete(&state, &call, &input, upload, &asked).await,
            None => repeated_completion::find(&state, &input.bucket, key, upload_id, &asked.parts)
                .await?
                .ok_or_else(|| Error::no_such_upload(upload_id))
                .map(|object| {
                    let version = fields::version_id(&bucket.value, &object);
                    (object, version)
                }),
        };
        match done {
            Err(Error::Contended) => {}
            Err(error) => return Err(error),
            Ok((object, version)) => return Ok(output(&call, input, object, version)),
        }
    }
    Err(Error::Contended)
}

/// What the request says the object must be.
struct Asked {
    checksum: Option<(Algorithm, String)>,
    kind: Option<Kind>,
    size: Option<u64>,
    parts: Vec<AskedPart>,
}

pub struct AskedPart {
    pub number: u32,
    /// Without quotes.
    pub etag: String,
    checksum: Option<(Algorithm, String)>,
}

fn read_parts(parts: Option<Vec<CompletedPart>>) -> Result<Vec<AskedPart>, Error> {
    let parts = parts
        .filter(|parts| !parts.is_empty())
        .ok_or_else(Error::malformed_xml)?;
    if parts.len() > uploads::MAX_PART_NUMBER as usize {
        return Err(Error::malformed_xml());
    }
    let mut read: Vec<AskedPart> = Vec::with_capacity(parts.len());
    for mut part in parts {
        let (Some(number), Some(etag)) = (part.part_number, part.e_tag.take()) else {
            return Err(Error::malformed_xml());
        };
        let number = uploads::check_part_number(number)?;
        if read.last().is_some_and(|last| last.number >= number) {
            let message = "The list of parts was not in ascending order. The parts list must be \
                           specified in order by part number.";
            return Err(Error::bad_request("InvalidPartOrder", message));
        }
        let checksum = fields::one_checksum(checksum_values!(part))?;
        read.push(AskedPart {
            number,
            etag: etag.into_value(),
            checksum,
        });
    }
    Ok(read)
}

async fn complete(
    state: &Arc<State>,
    call: &Arc<Call>,
    input: &CompleteMultipartUploadInput,
    upload: Row<Upload>,
    asked: &Asked,
) -> Result<(Object, Option<String>), Error> {
    let (bucket, upload_id) = (input.bucket.as_str(), input.upload_id.as_str());
    let most = uploads::MAX_PART_NUMBER as usize;
    let (rows, _) = uploads::parts(state, bucket, upload_id, 0, most).await?;
    let chosen = choose(&asked.parts, &rows, upload_id)?;
    check_part_checksums(&upload.value, asked, &chosen)?;
    let object = assemble(upload_id, &upload.value, asked, &chosen)?;
    let manifest = Manifest {
        parts: chosen.iter().map(|(n, part)| entry(*n, part)).collect(),
    };

    let kept: HashSet<BlobId> = manifest.parts.iter().map(|part| part.blob).collect();
    let unused: Vec<BlobId> = rows
        .iter()
        .map(|(_, row)| row.value.blob)
        .filter(|blob| !kept.contains(blob))
        .collect();
    let change = Change {
        key: input.key.clone(),
        action: Action::Put {
            object: Box::new(object.clone()),
            payload: Payload::Parts(manifest),
            conditions: call.conditions.clone(),
            kind: EventKind::CompleteMultipartUpload,
        },
    };
    let extend = end_upload(bucket, upload_id, upload, rows, unused.clone());
    let committed = commit::apply(state, call, bucket, change, Some(extend)).await?;
    state.pins.delete(unused);
    Ok((object, committed.outcome.version_id))
}

/// The parts that were asked for.
fn choose<'a>(
    asked: &[AskedPart],
    rows: &'a [(u32, Row<Part>)],
    upload_id: &str,
) -> Result<Vec<(u32, &'a Part)>, Error> {
    let mut chosen = Vec::with_capacity(asked.len());
    for (at, wanted) in asked.iter().enumerate() {
        let found = rows.binary_search_by_key(&wanted.number, |(number, _)| *number);
        let part = found.ok().map(|at| &rows[at].1.value);
        let matches = |part: &&Part| {
            part.etag == wanted.etag
                && wanted.checksum.as_ref().is_none_or(|(algorithm, value)| {
                    part.checksum.algorithm != *algorithm || part.checksum.value == *value
                })
        };
        let Some(part) = part.filter(matches) else {
            let message = "One or more of the specified parts could not be found. The part may \
                           not have been uploaded, or the specified entity tag may not match the \
                           part's entity tag.";
            return Err(Error::bad_request("InvalidPart", message)
                .with("UploadId", upload_id)
                .with("PartNumber", wanted.number.to_string())
                .with("ETag", &wanted.etag));
        };
        if part.size < MIN_PART && at + 1 < asked.len() {
            let message = "Your proposed upload is smaller than the minimum allowed size";
            return Err(Error::bad_request("EntityTooSmall", message)
                .with("ProposedSize", part.size.to_string())
                .with("MinSizeAllowed", MIN_PART.to_string())
                .with("PartNumber", wanted.number.to_string())
                .with("ETag", &part.etag));
        }
        chosen.push((wanted.number, part));
    }
    Ok(chosen)
}

/// A composite checksum is only as good as the parts' the client vouches for.
fn check_part_checksums(
    upload: &Upload,
    asked: &Asked,
    chosen: &[(u32, &Part)],
) -> Result<(), Error> {
    let Some(declared) = upload.checksum.filter(|c| c.kind == Kind::Composite) else {
        return Ok(());
    };
    let missing = asked
        .parts
        .iter()
        .zip(chosen)
        .find(|(part, _)| part.checksum.is_none());
    match missing {
        Some((part, _)) => Err(Error::invalid_request(format!(
            "The upload was created using a {} checksum. The complete request must include the \
             checksum for each part. It was missing for part {} in the request.",
            declared.algorithm.name().to_ascii_lowercase(),
            part.number
        ))),
        None => Ok(()),
    }
}

fn entry(number: u32, part: &Part) -> ManifestPart {
    let checksum = Some(part.checksum.value.clone());
    ManifestPart {
        number,
        blob: part.blob,
        size: part.size,
        checksum,
        sealed: part.sealed.clone(),
    }
}

fn assemble(
    upload_id: &str,
    upload: &Upload,
    asked: &Asked,
    chosen: &[(u32, &Part)],
) -> Result<Object, Error> {
    let size = chosen.iter().map(|(_, part)| part.size).sum();
    if let Some(expected) = asked.size.filter(|expected| *expected != size) {
        return Err(Error::invalid_request(format!(
            "The provided 'x-amz-mp-object-size' header value {expected} does not match what was \
             computed: {size}"
        )));
    }
    let checksum = combined(upload, chosen);
    check_checksum(asked, checksum.as_ref())?;
    let etags = chosen.iter().map(|(_, part)| part.etag.as_str());
    Ok(Object {
        content: Content::Parts(objects::new_content_id()),
        size,
        etag: composite_etag(etags).expect("a part's ETag was made by hex::encode"),
        last_modified: Timestamp::from_millis(0),
        attributes: upload.attributes.clone(),
        checksum,
        parts: Some(chosen.len() as u32),
        sealed: None,
        version_id: None,
        order: 0,
        upload: Some(upload_id.to_owned()),
    })
}

/// The MD5 of the parts' MD5s, and how many there are; `None` when one of them is no MD5.
pub fn composite_etag<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let mut md5 = Md5::new();
    let count = etags.len();
    for etag in etags {
        md5.update(hex::decode(etag).ok()?);
    }
    Some(format!("{}-{count}", hex::encode(md5.finalize())))
}

/// The object's checksum: as the upload declared it, else over the whole object when the parts'
/// allow it.
fn combined(upload: &Upload, chosen: &[(u32, &Part)]) -> Option<Checksum> {
    let parts: Vec<_> = chosen
        .iter()
        .map(|(_, part)| (&part.checksum, part.size))
        .collect();
    let (algorithm, kind) = match upload.checksum {
        Some(declared) => (declared.algorithm, declared.kind),
        None => (parts.first()?.0.algorithm, Kind::FullObject),
    };
    checksum::combine(algorithm, kind, &parts)
}

fn check_checksum(asked: &Asked, made: Option<&Checksum>) -> Result<(), Error> {
    if let (Some(kind), Some(made)) = (asked.kind, made)
        && kind != made.kind
    {
        return Err(Error::invalid_request(format!(
            "The upload was created using the {} checksum mode. The complete request must use the \
             same checksum mode.",
            made.kind.name()
        )));
    }
    let Some((algorithm, value)) = &asked.checksum else {
        return Ok(());
    };
    match made {
        Some(made) if made.algorithm == *algorithm => {
            let computed = made.value.split('-').next().unwrap_or_default();
            if computed == value {
                return Ok(());
            }
            let name = algorithm.name();
            let message =
                format!("The {name} you specified did not match the calculated checksum.");
            Err(Error::bad_request("BadDigest", message))
        }
        _ => Err(Error::invalid_request(
            "The checksum algorithm of the complete request is not the one of the upload.",
        )),
    }
}

/// Removes the upload with the commit that makes its object, if nothing of it has changed.
fn end_upload(
    bucket: &str,
    upload_id: &str,
    upload: Row<Upload>,
    rows: Vec<(u32, Row<Part>)>,
    unused: Vec<BlobId>,
) -> Extend {
    let (bucket, upload_id) = (bucket.to_owned(), upload_id.to_owned());
    Box::new(move |batch| {
        UPLOADS.expect_unchanged(batch, &upload);
        UPLOADS.delete(batch, &upload.key);
        for (_, row) in &rows {
            PARTS.expect_unchanged(batch, row);
        }
        PARTS.delete_prefix(batch, (bucket.as_str(), upload_id.as_str()));
        records::forget_blobs(batch, &unused);
        Ok(())
    })
}

fn output(
    call: &Call,
    input: CompleteMultipartUploadInput,
    object: Object,
    version_id: Option<String>,
) -> CompleteMultipartUploadOutput {
    let authority = call.context.authority().unwrap_or("s3.amazonaws.com");
    let path = crate::domain::url_encoding::in_list(&input.key);
    let mut output = CompleteMultipartUploadOutput {
        location: Some(format!("http://{authority}/{}/{path}", input.bucket)),
        bucket: Some(input.bucket),
        key: Some(input.key),
        e_tag: Some(fields::etag(&object.etag)),
        version_id,
        server_side_encryption: object.attributes.encryption.map(ServerSideEncryption::from),
        ..CompleteMultipartUploadOutput::default()
    };
    if let Some(checksum) = object.checksum {
        output.checksum_type = Some(fields::checksum_type(&checksum));
        set_checksum!(output, (checksum.algorithm, checksum.value));
    }
    output
}
