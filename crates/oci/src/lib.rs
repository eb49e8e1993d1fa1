//! Reads container images: from a registry, or from a layout in a local folder.
//!
//! A [`Source`] gives manifests and blobs; [`resolve`] makes sure that what it gives is an image
//! that can run here, to the last digest. Bytes of layers are checked by whoever unpacks them.
//!
//! # What is absent
//! AWS, and where images are kept.

mod digest;
mod document;
mod layout;
mod name;
mod reference;
mod remote;
mod resolve;
mod source;

pub use digest::Digest;
pub use document::{Compression, RunConfig};
pub use layout::Layout;
pub use name::{is_repository, is_tag};
pub use reference::Reference;
pub use remote::{Credentials, Remote, RemoteConfig, is_loopback};
pub use resolve::{Layer, Resolved, resolve};
pub use source::{Content, Manifest, PullError, Source};
