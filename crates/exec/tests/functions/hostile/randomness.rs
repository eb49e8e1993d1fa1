//! Environments of one zygote draw different numbers, and what they do share is what is documented.

use std::collections::HashSet;
use std::sync::Arc;

use exec::StartTier;
use futures::future::join_all;
use serde_json::json;

use super::stage::Stage;
use crate::support::json as document;

/// One draw of each source, none of which the function seeds.
const SOURCES: &str = "
import hashlib, os, random, secrets, ssl, tempfile, time, uuid
DRAWN = {
    'random': random.random(), 'shuffled': random.sample(range(1000), 20),
    'uuid4': uuid.uuid4().hex, 'uuid1': uuid.uuid1().hex, 'secrets': secrets.token_hex(16),
    'ssl': ssl.RAND_bytes(16).hex(), 'urandom': os.urandom(16).hex(),
    'system': random.SystemRandom().random(), 'file': tempfile.mktemp(),
    'new': random.Random().random(),
}
SHARED = {'hash': hash('text'), 'object': id(object)}
def handler(event, context):
    time.sleep(1)
    return [DRAWN, SHARED]
";

#[tokio::test(flavor = "multi_thread")]
async fn no_source_of_randomness_is_shared_and_the_hash_seed_is() {
    let Some(stage) = Stage::open(StartTier::Zygote).await else {
        return;
    };
    let files = [("app.py", SOURCES)];
    let function = stage.world.function("python3.12", "app.handler", &files);
    let function = Arc::new(function);
    let event = json!({});
    let runs = join_all((0..4).map(|_| stage.world.run(&function, &event))).await;
    let outcomes: Vec<_> = runs.into_iter().flatten().collect();
    // All but the parked one, which was forked before, and perhaps some of those as well.
    let answers: Vec<_> = outcomes.iter().map(document).collect();
    assert_eq!(answers.len(), 4);
    let (mut distinct, mut shared) = (0, HashSet::new());
    for source in answers[0][0].as_object().unwrap().keys() {
        let drawn: HashSet<_> = answers
            .iter()
            .map(|one| one[0][source].to_string())
            .collect();
        assert_eq!(drawn.len(), 4, "{source}: {drawn:?}");
        distinct += 1;
    }
    assert_eq!(distinct, 10);
    for (outcome, answer) in outcomes.iter().zip(&answers) {
        if outcome.start == StartTier::Zygote {
            shared.insert(answer[1].to_string());
        }
    }
    // As docs/isolation.md says: the zygote's hash seed and layout are its environments'.
    assert_eq!(shared.len(), 1, "{shared:?}");
}
