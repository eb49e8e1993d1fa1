//! Amazon S3.

mod access;
mod answer;
mod blocked_encryption;
mod buckets;
mod call;
mod carried;
mod commit;
mod configurations;
mod content;
mod control;
mod deliver;
mod dispatch;
mod document;
mod domain;
mod error;
mod form;
mod http;
mod lifecycle;
mod listing;
mod objects;
mod ops;
mod pages;
mod port;
mod records;
mod source;
mod state;
mod uploads;
mod version_listing;
mod versions;
mod website;

use std::sync::Arc;

use base::Clock;
use s3s::service::{S3Service, S3ServiceBuilder};
use service::ports::{ApiCaller, Credentials};
use store::{BlobId, Blobs, Store, StoreError};

use dispatch::{Operations, operations};
use state::State;

/// What the service stands on.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub blobs: Arc<dyn Blobs>,
    pub clock: Clock,
    /// Whether anybody may do anything, as in the server's permissive mode.
    pub is_permissive: bool,
    /// Encrypts contents at rest, if there is one. What it has encrypted is lost without it.
    pub encryption_key: Option<[u8; 32]>,
}

/// The ways to other services.
#[derive(Clone)]
pub struct Ports {
    pub api: Arc<dyn ApiCaller>,
    /// Without it, no form's signature can be verified.
    pub credentials: Option<Arc<dyn Credentials>>,
}

/// The service: a [`service::HttpService`].
pub struct S3 {
    state: Arc<State>,
    wire: S3Service,
}

/// Makes the service. Call [`S3::resume`] once the ports lead somewhere.
pub fn service(config: Config, ports: Ports) -> S3 {
    let state = Arc::new(State::new(config, ports));
    let wire = S3ServiceBuilder::new(Operations(Arc::clone(&state))).build();
    S3 { state, wire }
}

impl S3 {
    /// Takes up what an earlier run left undone: events not handed over, buckets and uploads half
    /// deleted. Begins to carry out lifecycle rules.
    pub async fn resume(&self) -> Result<(), StoreError> {
        ops::bucket::reopen_all(&self.state).await?;
        uploads::sweep(&self.state).await?;
        self.state.deliveries.resume().await?;
        tokio::spawn(lifecycle::run(Arc::downgrade(&self.state)));
        Ok(())
    }

    /// Whether a record names this blob: if not, and an earlier run made it, it is an orphan.
    pub async fn names_blob(&self, id: &BlobId) -> Result<bool, StoreError> {
        records::is_named(&*self.state.store, id).await
    }
}

// Every operation there is. What the wire layer knows and this table does not name answers
// NotImplemented, by name.
operations! {
    abort_multipart_upload(AbortMultipartUploadInput) -> AbortMultipartUploadOutput = ops::abort_multipart_upload::abort_multipart_upload;
    complete_multipart_upload(CompleteMultipartUploadInput) -> CompleteMultipartUploadOutput = ops::complete_multipart_upload::complete_multipart_upload;
    copy_object(CopyObjectInput) -> CopyObjectOutput = ops::copy_object::copy_object;
    create_bucket(CreateBucketInput) -> CreateBucketOutput = ops::bucket::create_bucket;
    create_multipart_upload(CreateMultipartUploadInput) -> CreateMultipartUploadOutput = ops::create_multipart_upload::create_multipart_upload;
    delete_bucket(DeleteBucketInput) -> DeleteBucketOutput = ops::bucket::delete_bucket;
    delete_bucket_analytics_configuration(DeleteBucketAnalyticsConfigurationInput) -> DeleteBucketAnalyticsConfigurationOutput = ops::reports::delete_bucket_analytics_configuration;
    delete_bucket_cors(DeleteBucketCorsInput) -> DeleteBucketCorsOutput = ops::cors::delete_bucket_cors;
    delete_bucket_encryption(DeleteBucketEncryptionInput) -> DeleteBucketEncryptionOutput = ops::bucket_encryption::delete_bucket_encryption;
    delete_bucket_intelligent_tiering_configuration(DeleteBucketIntelligentTieringConfigurationInput) -> DeleteBucketIntelligentTieringConfigurationOutput = ops::reports::delete_bucket_intelligent_tiering_configuration;
    delete_bucket_inventory_configuration(DeleteBucketInventoryConfigurationInput) -> DeleteBucketInventoryConfigurationOutput = ops::reports::delete_bucket_inventory_configuration;
    delete_bucket_lifecycle(DeleteBucketLifecycleInput) -> DeleteBucketLifecycleOutput = ops::lifecycle::delete_bucket_lifecycle;
    delete_bucket_metrics_configuration(DeleteBucketMetricsConfigurationInput) -> DeleteBucketMetricsConfigurationOutput = ops::reports::delete_bucket_metrics_configuration;
    delete_bucket_ownership_controls(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = ops::ownership_controls::delete_bucket_ownership_controls;
    delete_bucket_policy(DeleteBucketPolicyInput) -> DeleteBucketPolicyOutput = ops::bucket_policy::delete_bucket_policy;
    delete_bucket_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput = ops::kept::delete_bucket_replication;
    delete_bucket_tagging(DeleteBucketTaggingInput) -> DeleteBucketTaggingOutput = ops::bucket_tagging::delete_bucket_tagging;
    delete_bucket_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput = ops::website::delete_bucket_website;
    delete_object(DeleteObjectInput) -> DeleteObjectOutput = ops::delete_object::delete_object;
    delete_object_tagging(DeleteObjectTaggingInput) -> DeleteObjectTaggingOutput = ops::object_tagging::delete_object_tagging;
    delete_objects(DeleteObjectsInput) -> DeleteObjectsOutput = ops::delete_objects::delete_objects;
    delete_public_access_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = ops::public_access_block::delete_public_access_block;
    get_bucket_accelerate_configuration(GetBucketAccelerateConfigurationInput) -> GetBucketAccelerateConfigurationOutput = ops::kept::get_bucket_accelerate_configuration;
    get_bucket_acl(GetBucketAclInput) -> GetBucketAclOutput = ops::acl::get_bucket_acl;
    get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput) -> GetBucketAnalyticsConfigurationOutput = ops::reports::get_bucket_analytics_configuration;
    get_bucket_cors(GetBucketCorsInput) -> GetBucketCorsOutput = ops::cors::get_bucket_cors;
    get_bucket_encryption(GetBucketEncryptionInput) -> GetBucketEncryptionOutput = ops::bucket_encryption::get_bucket_encryption;
    get_bucket_intelligent_tiering_configuration(GetBucketIntelligentTieringConfigurationInput) -> GetBucketIntelligentTieringConfigurationOutput = ops::reports::get_bucket_intelligent_tiering_configuration;
    get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput) -> GetBucketInventoryConfigurationOutput = ops::reports::get_bucket_inventory_configuration;
    get_bucket_lifecycle_configuration(GetBucketLifecycleConfigurationInput) -> GetBucketLifecycleConfigurationOutput = ops::lifecycle::get_bucket_lifecycle_configuration;
    get_bucket_location(GetBucketLocationInput) -> GetBucketLocationOutput = ops::bucket::get_bucket_location;
    get_bucket_logging(GetBucketLoggingInput) -> GetBucketLoggingOutput = ops::kept::get_bucket_logging;
    get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput) -> GetBucketMetricsConfigurationOutput = ops::reports::get_bucket_metrics_configuration;
    get_bucket_notification_configuration(GetBucketNotificationConfigurationInput) -> GetBucketNotificationConfigurationOutput = ops::notification::get_bucket_notification_configuration;
    get_bucket_ownership_controls(GetBucketOwnershipControlsInput) -> GetBucketOwnershipControlsOutput = ops::ownership_controls::get_bucket_ownership_controls;
    get_bucket_policy(GetBucketPolicyInput) -> GetBucketPolicyOutput = ops::bucket_policy::get_bucket_policy;
    get_bucket_policy_status(GetBucketPolicyStatusInput) -> GetBucketPolicyStatusOutput = ops::bucket_policy::get_bucket_policy_status;
    get_bucket_replication(GetBucketReplicationInput) -> GetBucketReplicationOutput = ops::kept::get_bucket_replication;
    get_bucket_request_payment(GetBucketRequestPaymentInput) -> GetBucketRequestPaymentOutput = ops::kept::get_bucket_request_payment;
    get_bucket_tagging(GetBucketTaggingInput) -> GetBucketTaggingOutput = ops::bucket_tagging::get_bucket_tagging;
    get_bucket_versioning(GetBucketVersioningInput) -> GetBucketVersioningOutput = ops::versioning::get_bucket_versioning;
    get_bucket_website(GetBucketWebsiteInput) -> GetBucketWebsiteOutput = ops::website::get_bucket_website;
    get_object(GetObjectInput) -> GetObjectOutput = ops::get_object::get_object;
    get_object_acl(GetObjectAclInput) -> GetObjectAclOutput = ops::acl::get_object_acl;
    get_object_attributes(GetObjectAttributesInput) -> GetObjectAttributesOutput = ops::get_object_attributes::get_object_attributes;
    get_object_legal_hold(GetObjectLegalHoldInput) -> GetObjectLegalHoldOutput = ops::object_lock::get_object_legal_hold;
    get_object_lock_configuration(GetObjectLockConfigurationInput) -> GetObjectLockConfigurationOutput = ops::object_lock::get_object_lock_configuration;
    get_object_retention(GetObjectRetentionInput) -> GetObjectRetentionOutput = ops::object_lock::get_object_retention;
    get_object_tagging(GetObjectTaggingInput) -> GetObjectTaggingOutput = ops::object_tagging::get_object_tagging;
    get_public_access_block(GetPublicAccessBlockInput) -> GetPublicAccessBlockOutput = ops::public_access_block::get_public_access_block;
    head_bucket(HeadBucketInput) -> HeadBucketOutput = ops::bucket::head_bucket;
    head_object(HeadObjectInput) -> HeadObjectOutput = ops::get_object::head_object;
    list_bucket_analytics_configurations(ListBucketAnalyticsConfigurationsInput) -> ListBucketAnalyticsConfigurationsOutput = ops::reports::list_bucket_analytics_configurations;
    list_bucket_intelligent_tiering_configurations(ListBucketIntelligentTieringConfigurationsInput) -> ListBucketIntelligentTieringConfigurationsOutput = ops::reports::list_bucket_intelligent_tiering_configurations;
    list_bucket_inventory_configurations(ListBucketInventoryConfigurationsInput) -> ListBucketInventoryConfigurationsOutput = ops::reports::list_bucket_inventory_configurations;
    list_bucket_metrics_configurations(ListBucketMetricsConfigurationsInput) -> ListBucketMetricsConfigurationsOutput = ops::reports::list_bucket_metrics_configurations;
    list_buckets(ListBucketsInput) -> ListBucketsOutput = ops::list_buckets::list_buckets;
    list_multipart_uploads(ListMultipartUploadsInput) -> ListMultipartUploadsOutput = ops::list_multipart_uploads::list_multipart_uploads;
    list_object_versions(ListObjectVersionsInput) -> ListObjectVersionsOutput = ops::list_object_versions::list_object_versions;
    list_objects(ListObjectsInput) -> ListObjectsOutput = ops::list_objects::list_objects;
    list_objects_v2(ListObjectsV2Input) -> ListObjectsV2Output = ops::list_objects::list_objects_v2;
    list_parts(ListPartsInput) -> ListPartsOutput = ops::list_parts::list_parts;
    put_bucket_accelerate_configuration(PutBucketAccelerateConfigurationInput) -> PutBucketAccelerateConfigurationOutput = ops::kept::put_bucket_accelerate_configuration;
    put_bucket_acl(PutBucketAclInput) -> PutBucketAclOutput = ops::acl::put_bucket_acl;
    put_bucket_analytics_configuration(PutBucketAnalyticsConfigurationInput) -> PutBucketAnalyticsConfigurationOutput = ops::reports::put_bucket_analytics_configuration;
    put_bucket_cors(PutBucketCorsInput) -> PutBucketCorsOutput = ops::cors::put_bucket_cors;
    put_bucket_encryption(PutBucketEncryptionInput) -> PutBucketEncryptionOutput = ops::bucket_encryption::put_bucket_encryption;
    put_bucket_intelligent_tiering_configuration(PutBucketIntelligentTieringConfigurationInput) -> PutBucketIntelligentTieringConfigurationOutput = ops::reports::put_bucket_intelligent_tiering_configuration;
    put_bucket_inventory_configuration(PutBucketInventoryConfigurationInput) -> PutBucketInventoryConfigurationOutput = ops::reports::put_bucket_inventory_configuration;
    put_bucket_lifecycle_configuration(PutBucketLifecycleConfigurationInput) -> PutBucketLifecycleConfigurationOutput = ops::lifecycle::put_bucket_lifecycle_configuration;
    put_bucket_logging(PutBucketLoggingInput) -> PutBucketLoggingOutput = ops::kept::put_bucket_logging;
    put_bucket_metrics_configuration(PutBucketMetricsConfigurationInput) -> PutBucketMetricsConfigurationOutput = ops::reports::put_bucket_metrics_configuration;
    put_bucket_notification_configuration(PutBucketNotificationConfigurationInput) -> PutBucketNotificationConfigurationOutput = ops::notification::put_bucket_notification_configuration;
    put_bucket_ownership_controls(PutBucketOwnershipControlsInput) -> PutBucketOwnershipControlsOutput = ops::ownership_controls::put_bucket_ownership_controls;
    put_bucket_policy(PutBucketPolicyInput) -> PutBucketPolicyOutput = ops::bucket_policy::put_bucket_policy;
    put_bucket_replication(PutBucketReplicationInput) -> PutBucketReplicationOutput = ops::kept::put_bucket_replication;
    put_bucket_request_payment(PutBucketRequestPaymentInput) -> PutBucketRequestPaymentOutput = ops::kept::put_bucket_request_payment;
    put_bucket_tagging(PutBucketTaggingInput) -> PutBucketTaggingOutput = ops::bucket_tagging::put_bucket_tagging;
    put_bucket_versioning(PutBucketVersioningInput) -> PutBucketVersioningOutput = ops::versioning::put_bucket_versioning;
    put_bucket_website(PutBucketWebsiteInput) -> PutBucketWebsiteOutput = ops::website::put_bucket_website;
    put_object(PutObjectInput) -> PutObjectOutput = ops::put_object::put_object;
    put_object_acl(PutObjectAclInput) -> PutObjectAclOutput = ops::acl::put_object_acl;
    put_object_legal_hold(PutObjectLegalHoldInput) -> PutObjectLegalHoldOutput = ops::object_lock::put_object_legal_hold;
    put_object_lock_configuration(PutObjectLockConfigurationInput) -> PutObjectLockConfigurationOutput = ops::object_lock::put_object_lock_configuration;
    put_object_retention(PutObjectRetentionInput) -> PutObjectRetentionOutput = ops::object_lock::put_object_retention;
    put_object_tagging(PutObjectTaggingInput) -> PutObjectTaggingOutput = ops::object_tagging::put_object_tagging;
    put_public_access_block(PutPublicAccessBlockInput) -> PutPublicAccessBlockOutput = ops::public_access_block::put_public_access_block;
    upload_part(UploadPartInput) -> UploadPartOutput = ops::upload_part::upload_part;
    upload_part_copy(UploadPartCopyInput) -> UploadPartCopyOutput = ops::upload_part::upload_part_copy;
}
