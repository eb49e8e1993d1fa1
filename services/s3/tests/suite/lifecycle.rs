//! Lifecycle rules, carried out as time passes.

use std::time::Duration;

use base::ManualClock;

use crate::versions;
use crate::world::{NOW, REGION, World};

const DAY: Duration = Duration::from_hours(24);

struct Running {
    world: World,
    clock: ManualClock,
}

async fn running(rule: &str) -> Running {
    let clock = ManualClock::starting_at(NOW);
    let world = World::at(&clock);
    world.make_bucket("b-1").await;
    world.s3.resume().await.unwrap();
    let rules = format!(
        "<LifecycleConfiguration><Rule><ID>my rule</ID><Status>Enabled</Status>{rule}</Rule>\
         </LifecycleConfiguration>"
    );
    world.put("/b-1?lifecycle", rules).await;
    Running { world, clock }
}

impl Running {
    /// Days go by, one after the other.
    async fn pass(&self, days: u32) {
        for _ in 0..days {
            self.clock.advance(DAY);
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Waits until something is so.
    async fn until(&self, what: &str, uri: &str, is_so: impl Fn(&crate::world::Answer) -> bool) {
        for _ in 0..10_000 {
            if is_so(&self.world.get(uri).await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("{what} never happened");
    }

    async fn keys(&self) -> Vec<String> {
        let listed = self.world.get("/b-1").await.ok();
        listed
            .elements("Key")
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

#[tokio::test]
async fn objects_expire_by_prefix_and_say_so_before() {
    let rule = "<Filter><Prefix>tmp/</Prefix></Filter><Expiration><Days>2</Days></Expiration>";
    let running = running(rule).await;
    let put = running.world.put("/b-1/tmp/a", "x").await;
    // Made on the 23rd: two days, and to the midnight after.
    let expected = "expiry-date=\"Thu, 26 Nov 2026 00:00:00 GMT\", rule-id=\"my%20rule\"";
    assert_eq!(put.header("x-amz-expiration"), Some(expected));
    let kept = running.world.put("/b-1/kept", "x").await;
    assert_eq!(kept.header("x-amz-expiration"), None);
    let head = running.world.send("HEAD", "/b-1/tmp/a", &[], "").await;
    assert_eq!(head.header("x-amz-expiration"), Some(expected));
    running.pass(2).await;
    assert_eq!(running.keys().await, ["kept", "tmp/a"]);
    running.pass(1).await;
    running
        .until("the expiry", "/b-1/tmp/a", |answer| answer.status == 404)
        .await;
    assert_eq!(running.keys().await, ["kept"]);
    let disabled = "<LifecycleConfiguration><Rule><Status>Disabled</Status><Filter/><Expiration>\
                    <Days>1</Days></Expiration></Rule></LifecycleConfiguration>";
    running.world.put("/b-1?lifecycle", disabled).await;
    running.pass(5).await;
    assert_eq!(running.keys().await, ["kept"]);
}

#[tokio::test]
async fn versions_become_markers_and_go() {
    let rule = "<Filter/><Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration>\
                <NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>";
    let running = running(rule).await;
    versions::set(&running.world, "Enabled").await;
    for body in ["1", "2"] {
        running.world.put("/b-1/k", body).await;
    }
    running.pass(2).await;
    running
        .until("the marker", "/b-1/k", |answer| {
            answer.header("x-amz-delete-marker") == Some("true")
        })
        .await;
    running.pass(4).await;
    running
        .until("the end of the versions", "/b-1?versions", |answer| {
            answer.elements("VersionId").is_empty()
        })
        .await;
    assert_eq!(running.world.records("s3.head").await, 0);
}

#[tokio::test]
async fn markers_with_nothing_behind_them_go_and_newer_versions_stay() {
    let rule = "<Filter/><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>\
                </Expiration><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
                <NewerNoncurrentVersions>1</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
    let running = running(rule).await;
    versions::set(&running.world, "Enabled").await;
    running
        .world
        .send("DELETE", "/b-1/gone", &[], "")
        .await
        .ok();
    for body in ["1", "2", "3"] {
        running.world.put("/b-1/k", body).await;
    }
    running.world.send("DELETE", "/b-1/k", &[], "").await.ok();
    running.pass(3).await;
    running
        .until("the sweep", "/b-1?versions", |answer| {
            answer.elements("Version").len() == 1 && answer.elements("DeleteMarker").len() == 1
        })
        .await;
    let left = running.world.get("/b-1?versions").await.ok();
    assert_eq!(left.elements("Key"), ["k", "k"]);
}

#[tokio::test]
async fn what_is_locked_stays() {
    let rule = "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>\
                </NoncurrentVersionExpiration>";
    let running = running(rule).await;
    versions::set(&running.world, "Enabled").await;
    let lock = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>\
                </ObjectLockConfiguration>";
    running.world.put("/b-1?object-lock", lock).await;
    for key in ["held", "free"] {
        running.world.put(&format!("/b-1/{key}"), "1").await;
    }
    let hold = "<LegalHold><Status>ON</Status></LegalHold>";
    running.world.put("/b-1/held?legal-hold", hold).await;
    for key in ["held", "free"] {
        running.world.put(&format!("/b-1/{key}"), "2").await;
    }
    running.pass(3).await;
    running
        .until("the sweep", "/b-1?versions", |answer| {
            answer.elements("Key") == ["free", "held", "held"]
        })
        .await;
}

#[tokio::test]
async fn uploads_nobody_completes_are_aborted() {
    let rule = "<Filter/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1\
                </DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    let running = running(rule).await;
    let begun = running
        .world
        .send("POST", "/b-1/k?uploads", &[], "")
        .await
        .ok();
    assert_eq!(
        begun.header("x-amz-abort-date"),
        Some("Wed, 25 Nov 2026 00:00:00 GMT")
    );
    assert_eq!(begun.header("x-amz-abort-rule-id"), Some("my rule"));
    let id = begun.element("UploadId").unwrap();
    let uri = format!("/b-1/k?partNumber=1&uploadId={id}");
    running.world.put(&uri, vec![1; 100_000]).await;
    running.pass(2).await;
    running
        .until("the abortion", "/b-1?uploads", |answer| {
            answer.elements("UploadId").is_empty()
        })
        .await;
    running
        .until("the end of its parts", "/b-1", |_| true)
        .await;
    for _ in 0..10_000 {
        if running.world.records("s3.blob").await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(running.world.records("s3.part").await, 0);
    assert_eq!(running.world.records("s3.blob").await, 0);
}

/// What was due while the server was down is done at its start.
#[tokio::test]
async fn missed_midnights_are_made_up_for() {
    let clock = ManualClock::starting_at(NOW);
    let world = World::at(&clock);
    world.make_bucket("b-1").await;
    assert!(!REGION.is_empty());
    world.put("/b-1/k", "x").await;
    let rules = "<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter/><Expiration>\
                 <Date>2026-11-25T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>";
    world.put("/b-1?lifecycle", rules).await;
    clock.advance(3 * DAY);
    world.s3.resume().await.unwrap();
    for _ in 0..10_000 {
        if world.get("/b-1/k").await.status == 404 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("the object never expired");
}
