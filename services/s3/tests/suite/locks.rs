//! Object Lock: retention and legal holds.

use std::time::Duration;

use base::ManualClock;

use crate::versions;
use crate::world::{NOW, REGION, World};

const CONFIGURATION: &str = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled\
    </ObjectLockEnabled><Rule><DefaultRetention><Mode>GOVERNANCE</Mode><Days>1</Days>\
    </DefaultRetention></Rule></ObjectLockConfiguration>";

async fn with_lock(clock: &ManualClock) -> World {
    let world = World::at(clock);
    let configuration = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint>\
         </CreateBucketConfiguration>"
    );
    let headers = [("x-amz-bucket-object-lock-enabled", "true")];
    world
        .send("PUT", "/b-1", &headers, configuration)
        .await
        .ok();
    world
}

#[tokio::test]
async fn only_versioned_buckets_have_it_and_keep_it() {
    let world = World::with_bucket().await;
    world
        .get("/b-1?object-lock")
        .await
        .fails(404, "ObjectLockConfigurationNotFoundError");
    world
        .send("PUT", "/b-1?object-lock", &[], CONFIGURATION)
        .await
        .fails(409, "InvalidBucketState");
    versions::set(&world, "Enabled").await;
    world.put("/b-1?object-lock", CONFIGURATION).await;
    let got = world.get("/b-1?object-lock").await.ok();
    assert_eq!(
        (got.element("Mode"), got.element("Days")),
        (Some("GOVERNANCE"), Some("1"))
    );
    let off = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    world
        .send("PUT", "/b-1?versioning", &[], off)
        .await
        .fails(409, "InvalidBucketState");
}

#[tokio::test]
async fn the_default_keeps_versions_until_its_time_or_a_bypass() {
    let clock = ManualClock::starting_at(NOW);
    let world = with_lock(&clock).await;
    let unlocked = world.put("/b-1/k", "free").await;
    assert_eq!(unlocked.header("x-amz-object-lock-mode"), None);
    world.put("/b-1?object-lock", CONFIGURATION).await;
    let id = |answer: crate::world::Answer| answer.header("x-amz-version-id").unwrap().to_owned();
    let (one, two) = (
        id(world.put("/b-1/k", "1").await),
        id(world.put("/b-1/k", "2").await),
    );
    let got = world.get("/b-1/k").await.ok();
    assert_eq!(got.header("x-amz-object-lock-mode"), Some("GOVERNANCE"));
    assert!(got.header("x-amz-object-lock-retain-until-date").is_some());
    // A marker hides it and deletes nothing.
    world.send("DELETE", "/b-1/k", &[], "").await.ok();
    let uri = |id: &str| format!("/b-1/k?versionId={id}");
    world
        .send("DELETE", &uri(&one), &[], "")
        .await
        .fails(403, "AccessDenied");
    let body =
        format!("<Delete><Object><Key>k</Key><VersionId>{one}</VersionId></Object></Delete>");
    let many = world.send("POST", "/b-1?delete", &[], body).await.ok();
    assert_eq!(many.elements("Code"), ["AccessDenied"]);
    let bypass = [("x-amz-bypass-governance-retention", "true")];
    world.send("DELETE", &uri(&one), &bypass, "").await.ok();
    clock.advance(Duration::from_hours(25));
    world.send("DELETE", &uri(&two), &[], "").await.ok();
}

#[tokio::test]
async fn retention_of_one_version() {
    let clock = ManualClock::starting_at(NOW);
    let world = with_lock(&clock).await;
    world.put("/b-1/k", "x").await;
    for sub in ["retention", "legal-hold"] {
        world
            .get(&format!("/b-1/k?{sub}"))
            .await
            .fails(404, "NoSuchObjectLockConfiguration");
    }
    let retention = |mode: &str, until: &str| {
        format!(
            "<Retention><Mode>{mode}</Mode><RetainUntilDate>{until}</RetainUntilDate></Retention>"
        )
    };
    let (near, far) = ("2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z");
    world
        .put("/b-1/k?retention", retention("COMPLIANCE", near))
        .await;
    let got = world.get("/b-1/k?retention").await.ok();
    assert_eq!(got.element("Mode"), Some("COMPLIANCE"));
    world
        .put("/b-1/k?retention", retention("COMPLIANCE", far))
        .await;
    for shorter in [retention("COMPLIANCE", near), retention("GOVERNANCE", far)] {
        let bypass = [("x-amz-bypass-governance-retention", "true")];
        world
            .send("PUT", "/b-1/k?retention", &bypass, shorter)
            .await
            .fails(403, "AccessDenied");
    }
    world
        .send("PUT", "/b-1/k?retention", &[], retention("SOMETIMES", far))
        .await
        .fails(400, "MalformedXML");
    world
        .send(
            "PUT",
            "/b-1/k?retention",
            &[],
            retention("GOVERNANCE", "2020-01-01T00:00:00Z"),
        )
        .await
        .fails(400, "InvalidArgument");

    world.put("/b-1/held", "x").await;
    let hold = |status: &str| format!("<LegalHold><Status>{status}</Status></LegalHold>");
    world.put("/b-1/held?legal-hold", hold("ON")).await;
    let got = world.get("/b-1/held").await.ok();
    assert_eq!(got.header("x-amz-object-lock-legal-hold"), Some("ON"));
    let uri = format!(
        "/b-1/held?versionId={}",
        got.header("x-amz-version-id").unwrap()
    );
    world
        .send("DELETE", &uri, &[], "")
        .await
        .fails(403, "AccessDenied");
    world.put("/b-1/held?legal-hold", hold("OFF")).await;
    world.send("DELETE", &uri, &[], "").await.ok();
}

#[tokio::test]
async fn locks_given_with_an_object() {
    let clock = ManualClock::starting_at(NOW);
    let world = with_lock(&clock).await;
    let until = (
        "x-amz-object-lock-retain-until-date",
        "2026-12-01T00:00:00Z",
    );
    let mode = ("x-amz-object-lock-mode", "COMPLIANCE");
    let digest = ("content-md5", "nd1lIL6m6XFHhaVK4YxTNw==");
    world
        .send("PUT", "/b-1/k", &[until, mode], "x")
        .await
        .fails(400, "InvalidRequest");
    world
        .send("PUT", "/b-1/k", &[mode, digest], "x")
        .await
        .fails(400, "InvalidArgument");
    let past = (until.0, "2026-01-01T00:00:00Z");
    let sum = ("x-amz-checksum-crc32", "jNyb/w==");
    world
        .send("PUT", "/b-1/k", &[past, mode, sum], "x")
        .await
        .fails(400, "InvalidArgument");
    let sum = ("x-amz-sdk-checksum-algorithm", "CRC32");
    let put = world
        .send("PUT", "/b-1/k", &[until, mode, sum], "x")
        .await
        .ok();
    let uri = format!(
        "/b-1/k?versionId={}",
        put.header("x-amz-version-id").unwrap()
    );
    world
        .send("DELETE", &uri, &[], "")
        .await
        .fails(403, "AccessDenied");

    let plain = World::with_bucket().await;
    for headers in [
        vec![until, mode],
        vec![("x-amz-object-lock-legal-hold", "ON")],
    ] {
        plain
            .send("PUT", "/b-1/k", &headers, "x")
            .await
            .fails(400, "InvalidRequest");
    }
    plain.put("/b-1/k", "x").await;
    plain
        .get("/b-1/k?retention")
        .await
        .fails(400, "InvalidRequest");
}
