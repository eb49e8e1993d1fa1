//! What buckets can be configured to do, and what S3 refuses.

use crate::world::World;

/// Puts a document and expects these texts in what is got back.
async fn round_trip(world: &World, uri: &str, document: &str, texts: &[&str]) {
    world.put(uri, document.to_owned()).await;
    let got = world.get(uri).await.ok();
    for text in texts {
        assert!(got.text().contains(text), "{uri}: {}", got.text());
    }
}

#[tokio::test]
async fn documents_come_back_and_can_be_deleted() {
    let world = World::with_bucket().await;
    let on = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    world.put("/b-1?versioning", on).await;
    for (name, absent, document, texts) in [
        (
            "cors",
            "NoSuchCORSConfiguration",
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>\
             <AllowedOrigin>http://a.example</AllowedOrigin><ExposeHeader>etag</ExposeHeader>\
             </CORSRule></CORSConfiguration>",
            &[
                "<AllowedOrigin>http://a.example</AllowedOrigin>",
                "<ExposeHeader>etag",
            ][..],
        ),
        (
            "website",
            "NoSuchWebsiteConfiguration",
            "<WebsiteConfiguration><IndexDocument><Suffix>i.html</Suffix></IndexDocument>\
             <RoutingRules><RoutingRule><Redirect><HostName>x</HostName></Redirect></RoutingRule>\
             </RoutingRules></WebsiteConfiguration>",
            &["<Suffix>i.html</Suffix>", "<HostName>x</HostName>"],
        ),
        (
            "lifecycle",
            "NoSuchLifecycleConfiguration",
            "<LifecycleConfiguration><Rule><ID>r</ID><Prefix>logs/</Prefix><Status>Enabled</Status>\
             <Expiration><Days>3</Days></Expiration></Rule></LifecycleConfiguration>",
            &["<ID>r</ID>", "<Days>3</Days>"],
        ),
        (
            "replication",
            "ReplicationConfigurationNotFoundError",
            "<ReplicationConfiguration><Role>arn:aws:iam::000000000000:role/r</Role><Rule>\
             <Status>Enabled</Status><Destination><Bucket>arn:aws:s3:::o</Bucket></Destination>\
             </Rule></ReplicationConfiguration>",
            &["<Bucket>arn:aws:s3:::o</Bucket>"],
        ),
        (
            "publicAccessBlock",
            "NoSuchPublicAccessBlockConfiguration",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
             </PublicAccessBlockConfiguration>",
            &["<BlockPublicAcls>true", "<IgnorePublicAcls>false"],
        ),
    ] {
        let uri = format!("/b-1?{name}");
        world.get(&uri).await.fails(404, absent);
        round_trip(&world, &uri, document, texts).await;
        let gone = world.send("DELETE", &uri, &[], "").await.ok();
        assert_eq!(gone.status, 204);
        world.get(&uri).await.fails(404, absent);
        world
            .send("PUT", &uri, &[], "<nonsense/>")
            .await
            .fails(400, "MalformedXML");
    }
}

#[tokio::test]
async fn settings_that_every_bucket_has() {
    let world = World::with_bucket().await;
    for (name, default, document, texts) in [
        (
            "encryption",
            "<SSEAlgorithm>AES256</SSEAlgorithm>",
            "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
             <SSEAlgorithm>aws:kms</SSEAlgorithm><KMSMasterKeyID>k1</KMSMasterKeyID>\
             </ApplyServerSideEncryptionByDefault><BucketKeyEnabled>true</BucketKeyEnabled></Rule>\
             </ServerSideEncryptionConfiguration>",
            &["<KMSMasterKeyID>k1<", "<BucketKeyEnabled>true<"][..],
        ),
        (
            "ownershipControls",
            "<ObjectOwnership>BucketOwnerEnforced<",
            "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
             </OwnershipControls>",
            &["<ObjectOwnership>ObjectWriter<"],
        ),
        (
            "accelerate",
            "<AccelerateConfiguration",
            "<AccelerateConfiguration><Status>Enabled</Status></AccelerateConfiguration>",
            &["<Status>Enabled<"],
        ),
        (
            "requestPayment",
            "<Payer>BucketOwner<",
            "<RequestPaymentConfiguration><Payer>Requester</Payer></RequestPaymentConfiguration>",
            &["<Payer>Requester<"],
        ),
        (
            "logging",
            "<BucketLoggingStatus",
            "<BucketLoggingStatus><LoggingEnabled><TargetBucket>b-1</TargetBucket>\
             <TargetPrefix>log/</TargetPrefix></LoggingEnabled></BucketLoggingStatus>",
            &["<TargetPrefix>log/<"],
        ),
    ] {
        let uri = format!("/b-1?{name}");
        let before = world.get(&uri).await.ok();
        assert!(before.text().contains(default), "{name}: {}", before.text());
        round_trip(&world, &uri, document, texts).await;
    }
    world.send("DELETE", "/b-1?encryption", &[], "").await.ok();
    let reset = world.get("/b-1?encryption").await.ok();
    assert_eq!(reset.element("SSEAlgorithm"), Some("AES256"));
    world
        .send("DELETE", "/b-1?ownershipControls", &[], "")
        .await
        .ok();
    world
        .get("/b-1?ownershipControls")
        .await
        .fails(404, "OwnershipControlsNotFoundError");
    let nowhere = "<BucketLoggingStatus><LoggingEnabled><TargetBucket>none</TargetBucket>\
                   <TargetPrefix/></LoggingEnabled></BucketLoggingStatus>";
    world
        .send("PUT", "/b-1?logging", &[], nowhere)
        .await
        .fails(400, "InvalidTargetBucketForLogging");
    world.put("/b-1?logging", "<BucketLoggingStatus/>").await;
    let off = world.get("/b-1?logging").await.ok();
    assert!(!off.text().contains("TargetBucket"));
}

#[tokio::test]
async fn reports_have_ids() {
    let world = World::with_bucket().await;
    let metrics = |id: &str| format!("<MetricsConfiguration><Id>{id}</Id></MetricsConfiguration>");
    for id in ["a", "b"] {
        world
            .put(&format!("/b-1?metrics&id={id}"), metrics(id))
            .await;
    }
    let listed = world.get("/b-1?metrics").await.ok();
    assert_eq!(listed.elements("Id"), ["a", "b"]);
    assert_eq!(
        world.get("/b-1?metrics&id=a").await.ok().element("Id"),
        Some("a")
    );
    world
        .send("PUT", "/b-1?metrics&id=x", &[], metrics("y"))
        .await
        .fails(400, "InvalidConfigurationId");
    world
        .send("DELETE", "/b-1?metrics&id=a", &[], "")
        .await
        .ok();
    for method in ["GET", "DELETE"] {
        world
            .send(method, "/b-1?metrics&id=a", &[], "")
            .await
            .fails(404, "NoSuchConfiguration");
    }
    let inventory = "<InventoryConfiguration><Id>i</Id><IsEnabled>true</IsEnabled><Destination>\
        <S3BucketDestination><Bucket>arn:aws:s3:::b-1</Bucket><Format>CSV</Format>\
        </S3BucketDestination></Destination><Schedule><Frequency>Daily</Frequency></Schedule>\
        <IncludedObjectVersions>All</IncludedObjectVersions></InventoryConfiguration>";
    round_trip(
        &world,
        "/b-1?inventory&id=i",
        inventory,
        &["<Frequency>Daily<"],
    )
    .await;
    let analytics = "<AnalyticsConfiguration><Id>n</Id><StorageClassAnalysis/>\
                     </AnalyticsConfiguration>";
    round_trip(&world, "/b-1?analytics&id=n", analytics, &["<Id>n<"]).await;
    let tiering = "<IntelligentTieringConfiguration><Id>t</Id><Status>Enabled</Status><Tiering>\
        <AccessTier>ARCHIVE_ACCESS</AccessTier><Days>90</Days></Tiering>\
        </IntelligentTieringConfiguration>";
    round_trip(
        &world,
        "/b-1?intelligent-tiering&id=t",
        tiering,
        &["<Days>90<"],
    )
    .await;
    for (kind, id) in [
        ("inventory", "i"),
        ("analytics", "n"),
        ("intelligent-tiering", "t"),
    ] {
        let listed = world.get(&format!("/b-1?{kind}")).await.ok();
        assert_eq!(listed.elements("Id"), [id]);
    }
}

#[tokio::test]
async fn acls_where_they_are_on() {
    let world = World::with_bucket().await;
    let refused = world
        .send("PUT", "/b-1?acl", &[("x-amz-acl", "public-read")], "")
        .await;
    refused.fails(400, "AccessControlListNotSupported");
    let own = [("x-amz-acl", "bucket-owner-full-control")];
    world.send("PUT", "/b-1?acl", &own, "").await.ok();
    let writer = "<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>\
                  </OwnershipControls>";
    world.put("/b-1?ownershipControls", writer).await;
    world
        .send("PUT", "/b-1?acl", &[("x-amz-acl", "public-read")], "")
        .await
        .ok();
    let acl = world.get("/b-1?acl").await.ok();
    assert_eq!(acl.elements("Permission"), ["FULL_CONTROL", "READ"]);
    assert!(acl.text().contains("global/AllUsers"), "{}", acl.text());

    let headers = [("x-amz-acl", "authenticated-read")];
    world.send("PUT", "/b-1/k", &headers, "x").await.ok();
    let acl = world.get("/b-1/k?acl").await.ok();
    assert_eq!(acl.elements("Permission"), ["FULL_CONTROL", "READ"]);
    let owner = acl.element("ID").unwrap().to_owned();
    let policy = format!(
        "<AccessControlPolicy><Owner><ID>{owner}</ID></Owner><AccessControlList><Grant>\
         <Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xsi:type=\"CanonicalUser\"><ID>{owner}</ID></Grantee><Permission>READ_ACP</Permission>\
         </Grant></AccessControlList></AccessControlPolicy>"
    );
    world.put("/b-1/k?acl", policy.clone()).await;
    let acl = world.get("/b-1/k?acl").await.ok();
    assert_eq!(acl.elements("Permission"), ["READ_ACP"]);
    let both = [("x-amz-acl", "private"), ("x-amz-grant-read", "id=\"x\"")];
    world
        .send("PUT", "/b-1/k?acl", &both, "")
        .await
        .fails(400, "InvalidRequest");
    let canned = [("x-amz-acl", "private")];
    world
        .send("PUT", "/b-1/k?acl", &canned, policy)
        .await
        .fails(400, "UnexpectedContent");
    world
        .send("PUT", "/b-1/k?acl", &[("x-amz-acl", "mine")], "")
        .await
        .fails(400, "InvalidArgument");

    let block = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
                 <BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>";
    world.put("/b-1?publicAccessBlock", block).await;
    let public = [("x-amz-acl", "public-read")];
    world
        .send("PUT", "/b-1/k?acl", &public, "")
        .await
        .fails(403, "AccessDenied");
    world
        .send("PUT", "/b-1/new", &public, "")
        .await
        .fails(403, "AccessDenied");
    let enforced = writer.replace("ObjectWriter", "BucketOwnerEnforced");
    world
        .send("PUT", "/b-1?ownershipControls", &[], enforced)
        .await
        .fails(400, "InvalidBucketAclWithObjectOwnership");
}

#[tokio::test]
async fn whether_a_policy_is_public() {
    let world = World::with_bucket().await;
    world
        .get("/b-1?policyStatus")
        .await
        .fails(404, "NoSuchBucketPolicy");
    let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",
        "Action":"s3:GetObject","Resource":"arn:aws:s3:::b-1/*"}]}"#;
    let own = policy.replace("\"*\"", r#"{"AWS":"arn:aws:iam::000000000000:root"}"#);
    for (policy, is_public) in [(policy, "true"), (&own, "false")] {
        world.put("/b-1?policy", policy.to_owned()).await;
        let status = world.get("/b-1?policyStatus").await.ok();
        assert_eq!(status.element("IsPublic"), Some(is_public));
    }
    let block = "<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy>\
                 </PublicAccessBlockConfiguration>";
    world.put("/b-1?publicAccessBlock", block).await;
    world.put("/b-1?policy", own).await;
    world
        .send("PUT", "/b-1?policy", &[], policy)
        .await
        .fails(403, "AccessDenied");
}

#[tokio::test]
async fn encryption_is_recorded_and_said() {
    let world = World::with_bucket().await;
    let kms = [
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "1234"),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
    ];
    let arn = format!("arn:aws:kms:{}:000000000000:key/1234", crate::world::REGION);
    let put = world.send("PUT", "/b-1/k", &kms, "x").await.ok();
    for answer in [put, world.get("/b-1/k").await.ok()] {
        let header = |name: &str| answer.header(&format!("x-amz-server-side-encryption{name}"));
        assert_eq!(header(""), Some("aws:kms"));
        assert_eq!(header("-aws-kms-key-id"), Some(arn.as_str()));
        assert_eq!(header("-bucket-key-enabled"), Some("true"));
    }
    let plain = world.put("/b-1/plain", "x").await;
    assert_eq!(plain.header("x-amz-server-side-encryption"), Some("AES256"));
    let default = "<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault>\
        <SSEAlgorithm>aws:kms</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule>\
        </ServerSideEncryptionConfiguration>";
    world.put("/b-1?encryption", default).await;
    let by_default = world.put("/b-1/plain", "x").await;
    assert_eq!(
        by_default.header("x-amz-server-side-encryption"),
        Some("aws:kms")
    );
    let wrong = [("x-amz-server-side-encryption-aws-kms-key-id", "1234")];
    world
        .send("PUT", "/b-1/k", &wrong, "x")
        .await
        .fails(400, "InvalidArgument");
}

#[tokio::test]
async fn lifecycles_that_cannot_be() {
    let world = World::with_bucket().await;
    let rule = |inside: &str| {
        format!(
            "<LifecycleConfiguration><Rule><ID>r</ID><Status>Enabled</Status>{inside}</Rule>\
             </LifecycleConfiguration>"
        )
    };
    for (inside, code) in [
        ("<Filter/>", "InvalidRequest"),
        ("<Expiration><Days>1</Days></Expiration>", "MalformedXML"),
        (
            "<Filter/><Expiration><Days>0</Days></Expiration>",
            "InvalidArgument",
        ),
        (
            "<Filter/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>",
            "InvalidArgument",
        ),
        (
            "<Filter/><Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>",
            "MalformedXML",
        ),
        (
            "<Filter><And><Prefix>a</Prefix></And></Filter><Expiration><Days>1</Days></Expiration>",
            "MalformedXML",
        ),
        (
            "<Filter/><Transition><Days>3</Days><StorageClass>STANDARD_IA</StorageClass>\
             </Transition>",
            "InvalidArgument",
        ),
        (
            "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays>\
             </NoncurrentVersionExpiration>",
            "InvalidArgument",
        ),
        (
            "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>\
             <AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>\
             </AbortIncompleteMultipartUpload>",
            "InvalidRequest",
        ),
    ] {
        let answer = world.send("PUT", "/b-1?lifecycle", &[], rule(inside)).await;
        answer.fails(400, code);
    }
    let size = "x-amz-transition-default-minimum-object-size";
    let fine = rule("<Filter/><Expiration><Days>1</Days></Expiration>");
    for (given, status) in [("varies_by_storage_class", 200), ("some", 400)] {
        let answer = world
            .send("PUT", "/b-1?lifecycle", &[(size, given)], fine.clone())
            .await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    let got = world.get("/b-1?lifecycle").await.ok();
    assert_eq!(got.header(size), Some("varies_by_storage_class"));
    let one = "<Rule><ID>r</ID><Status>Enabled</Status><Filter/><Expiration><Days>1</Days>\
               </Expiration></Rule>";
    let twice = format!("<LifecycleConfiguration>{one}{one}</LifecycleConfiguration>");
    world
        .send("PUT", "/b-1?lifecycle", &[], twice)
        .await
        .fails(400, "InvalidArgument");
}
