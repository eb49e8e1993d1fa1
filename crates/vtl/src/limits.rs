//! What one rendering may cost.

/// Bounds of one rendering; a template that passes one is stopped with an error, but for
/// `iterations`, after which a loop just ends, as AWS's does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Nodes evaluated, elements touched, and a step more for every 64 bytes of text made.
    pub steps: u64,
    /// Blocks, expressions and macros inside each other.
    pub depth: usize,
    /// Bytes of all texts, lists and maps made, whether still in use or not.
    pub held_bytes: usize,
    pub output_bytes: usize,
    /// Of one `#foreach`; AWS documents 1,000.
    pub iterations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            steps: 2_000_000,
            depth: 128,
            held_bytes: 64 << 20,
            output_bytes: 10 << 20,
            iterations: 1_000,
        }
    }
}
