//! Amazon S3.

mod answer;
mod buckets;
mod call;
mod commit;
mod content;
mod dispatch;
mod document;
mod domain;
mod error;
mod http;
mod listing;
mod objects;
mod ops;
mod outbox;
mod port;
mod records;
mod source;
mod state;
mod uploads;

use std::sync::Arc;

use base::Clock;
use s3s::service::{S3Service, S3ServiceBuilder};
use service::ports::{ApiCaller, EventSink, Invoker};
use store::{BlobId, Blobs, Store, StoreError};

use dispatch::{Operations, operations};
use state::State;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    pub clock: Clock,
}

/// The ways to other services.
#[derive(Clone)]
pub struct Ports {
    pub api: Arc<dyn ApiCaller>,
    pub invoker: Arc<dyn Invoker>,
    /// Without one, EventBridge cannot be configured as a destination.
    pub events: Option<Arc<dyn EventSink>>,
}

/// The service: a [`service::HttpService`].
pub struct S3 {
    state: Arc<State>,
    wire: S3Service,
}

/// Makes the service. Call [`S3::resume`] once the ports lead somewhere.
pub fn service(config: Config, ports: Ports) -> S3 {
    let state = Arc::new(State::new(config.store, config.blobs, config.clock, ports));
    let wire = S3ServiceBuilder::new(Operations(Arc::clone(&state))).build();
    S3 { state, wire }
}

impl S3 {
    /// Takes up what an earlier run left undone: events not handed over, buckets half deleted.
    pub async fn resume(&self) -> Result<(), StoreError> {
        ops::bucket::reopen_all(&self.state).await?;
        self.state.outbox.resume().await
    }

    /// Whether a record names this blob: if not, and an earlier run made it, it is an orphan.
    pub async fn names_blob(&self, id: &BlobId) -> Result<bool, StoreError> {
        records::is_named(&*self.state.store, id).await
    }
}

// Every operation there is. What the wire layer knows and this table does not name answers
// NotImplemented, by name.
operations! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput
        = ops::abort_multipart_upload::abort_multipart_upload;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput
        = ops::complete_multipart_upload::complete_multipart_upload;
    copy_object(CopyObjectInput) -> CopyObjectOutput = ops::copy_object::copy_object;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = ops::bucket::create_bucket;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput
        = ops::create_multipart_upload::create_multipart_upload;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = ops::bucket::delete_bucket;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput
        = ops::bucket_policy::delete_bucket_policy;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput
        = ops::bucket_tagging::delete_bucket_tagging;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = ops::delete_object::delete_object;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput
        = ops::object_tagging::delete_object_tagging;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput
        = ops::delete_objects::delete_objects;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput)
        -> GetBucketAccelerateConfigurationOutput
        = ops::unconfigured::get_bucket_accelerate_configuration;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = ops::acl::get_bucket_acl;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput
        = ops::unconfigured::get_bucket_cors;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput
        = ops::unconfigured::get_bucket_encryption;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput)
        -> GetBucketLifecycleConfigurationOutput
        = ops::unconfigured::get_bucket_lifecycle_configuration;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput
        = ops::bucket::get_bucket_location;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput
        = ops::unconfigured::get_bucket_logging;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput)
        -> GetBucketNotificationConfigurationOutput
        = ops::notification::get_bucket_notification_configuration;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput)
        -> GetBucketOwnershipControlsOutput
        = ops::unconfigured::get_bucket_ownership_controls;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput
        = ops::bucket_policy::get_bucket_policy;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput
        = ops::unconfigured::get_bucket_replication;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput
        = ops::unconfigured::get_bucket_request_payment;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput
        = ops::bucket_tagging::get_bucket_tagging;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput
        = ops::unconfigured::get_bucket_versioning;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput
        = ops::unconfigured::get_bucket_website;
    get_object(GetObjectInput) -> GetObjectOutput = ops::get_object::get_object;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = ops::acl::get_object_acl;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput
        = ops::get_object_attributes::get_object_attributes;
    get_object_lock_configuration(GetObjectLockConfigurationInput)
        -> GetObjectLockConfigurationOutput
        = ops::unconfigured::get_object_lock_configuration;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput
        = ops::object_tagging::get_object_tagging;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput
        = ops::unconfigured::get_public_access_block;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = ops::bucket::head_bucket;
    head_object(HeadObjectInput) -> HeadObjectOutput = ops::get_object::head_object;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = ops::list_buckets::list_buckets;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput
        = ops::list_multipart_uploads::list_multipart_uploads;
    list_objects(ListObjectsInput) -> ListObjectsOutput = ops::list_objects::list_objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output
        = ops::list_objects::list_objects_v2;
    list_parts(ListPartsInput) -> ListPartsOutput = ops::list_parts::list_parts;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = ops::acl::put_bucket_acl;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput)
        -> PutBucketNotificationConfigurationOutput
        = ops::notification::put_bucket_notification_configuration;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput
        = ops::bucket_policy::put_bucket_policy;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput
        = ops::bucket_tagging::put_bucket_tagging;
    put_object(PutObjectInput) -> PutObjectOutput = ops::put_object::put_object;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = ops::acl::put_object_acl;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput
        = ops::object_tagging::put_object_tagging;
    upload_part(UploadPartInput) -> UploadPartOutput = ops::upload_part::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput
        = ops::upload_part::upload_part_copy;
}
