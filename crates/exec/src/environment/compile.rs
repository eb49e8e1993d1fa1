//! Compiles an image to bytecode, off everybody's path.
//!
//! A package's source is outside input even to a compiler, so it is compiled in an environment of
//! its own, by the interpreter that will run it, under limits and with nothing of any tenant but
//! this code.

use std::sync::Arc;
use std::time::Duration;

use sandbox::{Bind, Completion, Limits};

use super::blueprint::{self, ImagePlace, LAYERS, TASK};
use super::body::{Body, blocking};
use super::start::Launcher;
use crate::frames::{Kind, Payload};
use crate::function::{Code, FunctionSpec};
use crate::images::CodeImage;
use crate::nursery::Recipe;
use crate::runtimes::{Family, Resolved};

/// Enough for 250 MB of source; a package that takes longer runs from its source.
const LIMIT: Duration = Duration::from_mins(2);
const MEMORY_BYTES: u64 = 1 << 30;
/// Bytecode of one file, and of all.
const MOST_OF_ONE: usize = 16 << 20;
const MOST: usize = 256 << 20;

/// Whose bytecode it is: a folder's name.
pub(super) fn interpreter_name(resolved: &Resolved) -> Option<String> {
    let interpreter = resolved.interpreter.as_ref()?;
    Some(format!("python-{}", interpreter.version))
}

impl Launcher {
    /// Compiles a function's code in the background, unless that was done or tried before.
    pub(super) fn compile_code(
        self: &Arc<Self>,
        function: &FunctionSpec,
        resolved: &Resolved,
        recipe: &Recipe,
    ) {
        let (Code::Image(image), Family::Python) = (&function.code, recipe.family) else {
            return;
        };
        let Some(interpreter) = interpreter_name(resolved) else {
            return;
        };
        self.compile_at(TASK, image, &interpreter, recipe);
        if let Some(layers) = &function.layers {
            self.compile_at(LAYERS, layers, &interpreter, recipe);
        }
    }

    fn compile_at(
        self: &Arc<Self>,
        place: ImagePlace,
        image: &CodeImage,
        interpreter: &str,
        recipe: &Recipe,
    ) {
        let interpreter = place.bytecode_of(interpreter);
        let job = (image.id(), interpreter.clone());
        if image.compiled(&interpreter).is_some() || !self.compiling.lock().insert(job) {
            return;
        }
        let (launcher, image, recipe) = (Arc::clone(self), image.clone(), recipe.clone());
        tokio::spawn(async move {
            let compiled = launcher.compile_image(place, &image, &interpreter, &recipe);
            match tokio::time::timeout(LIMIT, compiled).await {
                // From now on its bytecode says so, as long as there is the image.
                Ok(Ok(())) => {
                    launcher.compiling.lock().remove(&(image.id(), interpreter));
                }
                Ok(Err(reason)) => tracing::info!(image = %image.id(), reason, "no bytecode"),
                Err(_) => tracing::info!(image = %image.id(), "compiling took too long"),
            }
        });
    }

    async fn compile_image(
        &self,
        place: ImagePlace,
        image: &CodeImage,
        interpreter: &str,
        recipe: &Recipe,
    ) -> Result<(), String> {
        let internal = |error: super::StartError| format!("{error:?}");
        let mut body = self.nursery.spare_or_new(recipe).await.map_err(internal)?;
        let completion = Arc::new(Completion {
            binds: vec![Bind::new(image.path(), place.root)],
            limits: Limits {
                memory_bytes: MEMORY_BYTES,
                ..blueprint::unlimited()
            },
        });
        body.complete(&completion).await.map_err(internal)?;
        if !body.is_booted && !body.boot(LIMIT).await {
            return Err("the interpreter did not boot".to_owned());
        }
        body.compile_into(place, image, interpreter).await
    }
}

impl Body {
    /// Has the runtime compile what is mounted, and keeps what it sends.
    async fn compile_into(
        &mut self,
        place: ImagePlace,
        image: &CodeImage,
        interpreter: &str,
    ) -> Result<(), String> {
        let socket = self.link.socket().ok_or("no frames are spoken")?;
        let header = serde_json::json!({ "task_root": place.root });
        socket
            .send(Kind::Compile, &header, &bytes::Bytes::new())
            .await
            .map_err(|error| error.to_string())?;
        let mut compiling = image
            .compile(interpreter)
            .map_err(|error| error.to_string())?;
        let mut size = 0;
        loop {
            let frame = socket.receive(MOST_OF_ONE).await;
            let frame = frame.map_err(|error| error.to_string())?;
            let file: Compiled = frame.header().map_err(|error| error.to_string())?;
            match (frame.kind, frame.payload) {
                (Kind::Compiled, _) if file.name.is_empty() => break,
                (Kind::Compiled, Payload::Whole(bytecode)) => {
                    size += bytecode.len();
                    if size > MOST {
                        return Err("too much bytecode".to_owned());
                    }
                    compiling
                        .add(&file.name, &bytecode)
                        .map_err(|error| error.to_string())?;
                }
                (Kind::Compiled, Payload::TooLarge(_)) => {}
                (kind, _) => return Err(format!("{kind:?} out of turn")),
            }
        }
        let published = blocking(move || compiling.publish()).await;
        published
            .map_err(|error| format!("{error:?}"))?
            .map_err(|error| error.to_string())
    }
}

/// One compiled file; the last has no name.
#[derive(Default, serde::Deserialize)]
struct Compiled {
    name: String,
}
