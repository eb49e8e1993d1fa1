//! CompleteMultipartUpload once more answers as it did, for as long as what it made is there.

use crate::multipart::{begin, complete, upload};
use crate::objects::content;
use crate::world::World;

const MIB: usize = 1 << 20;

#[tokio::test]
async fn a_repeated_completion_answers_as_the_first_did() {
    let world = World::with_bucket().await;
    let id = begin(&world, "k", &[]).await;
    let one = upload(&world, &id, 1, content(5 * MIB), &[])
        .await
        .ok()
        .etag();
    let two = upload(&world, &id, 2, content(9), &[]).await.ok().etag();
    let parts = [(1, one.as_str()), (2, two.as_str())];
    let first = complete(&world, &id, &parts).await.ok();
    let again = complete(&world, &id, &parts).await.ok();
    assert_eq!(again.body, first.body);
    assert_eq!(world.records("s3.object").await, 1);

    // Only what was completed: other parts, other numbers, and other keys are no repetition.
    for parts in [&[(1, one.as_str())][..], &[(1, &one), (3, &two)]] {
        complete(&world, &id, parts)
            .await
            .fails(404, "NoSuchUpload");
    }
    upload(&world, &id, 3, content(1), &[])
        .await
        .fails(404, "NoSuchUpload");

    // An object that was put since is not what the upload made.
    world.put("/b-1/k", "new").await;
    complete(&world, &id, &parts)
        .await
        .fails(404, "NoSuchUpload");
}

#[tokio::test]
async fn the_answer_names_the_version_that_was_made() {
    let world = World::with_bucket().await;
    let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
    world
        .send("PUT", "/b-1?versioning", &[], enabled)
        .await
        .ok();
    let id = begin(&world, "k", &[]).await;
    let etag = upload(&world, &id, 1, content(9), &[]).await.ok().etag();
    let first = complete(&world, &id, &[(1, &etag)]).await.ok();
    let version = first
        .header("x-amz-version-id")
        .expect("a version was made");

    world.put("/b-1/k", "newer").await;
    world.send("DELETE", "/b-1/k", &[], "").await.ok();
    let again = complete(&world, &id, &[(1, &etag)]).await.ok();
    assert_eq!(again.header("x-amz-version-id"), Some(version));
    assert_eq!(again.body, first.body);
    assert_eq!(
        world.records("s3.version").await,
        3,
        "nothing was made anew"
    );
}
