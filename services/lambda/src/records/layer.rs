//! Layers: a record a layer, a record a version, and what a function keeps of the versions it has.

use base::{AccountId, Arn, Region, Timestamp};
use exec::ImageId;
use serde::{Deserialize, Serialize};
use store::Table;

use super::Code;
use crate::domain::function_name::Place;
use crate::domain::permission::Statement;

pub const LAYERS: Table<LayerRecord> = Table::new("lambda.layer", 1);
pub const LAYER_VERSIONS: Table<LayerVersionRecord> = Table::new("lambda.layer_version", 1);

/// Stays when its versions are deleted, as no number is given twice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerRecord {
    pub account: AccountId,
    pub region: Region,
    pub name: String,
    pub last_version: u64,
}

/// But for its policy it does not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerVersionRecord {
    pub account: AccountId,
    pub region: Region,
    /// Of the layer.
    pub name: String,
    pub version: u64,
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license_info: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatible_runtimes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatible_architectures: Option<Vec<String>>,
    pub code: Code,
    /// Bytes of its files.
    pub unzipped: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy: Vec<Statement>,
    /// Of the policy.
    pub revision_id: String,
    pub created: Timestamp,
}

/// A layer version as a part of a function, which has it even when the layer version is deleted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerReference {
    /// Of the layer version.
    pub arn: Arn,
    pub code: Code,
    /// Bytes of its files.
    pub unzipped: u64,
}

impl LayerRecord {
    pub fn key(&self) -> (&str, &str, &str) {
        (self.account.as_str(), self.region.as_str(), &self.name)
    }
}

impl LayerVersionRecord {
    pub fn key(&self) -> (&str, &str, &str, u64) {
        (
            self.account.as_str(),
            self.region.as_str(),
            &self.name,
            self.version,
        )
    }

    pub fn place(&self) -> Place {
        Place {
            account: self.account,
            region: self.region.clone(),
        }
    }

    /// The layer's.
    pub fn layer_arn(&self) -> Arn {
        self.place().layer_arn(&self.name)
    }

    pub fn arn(&self) -> Arn {
        let versioned = format!("{}:{}", self.name, self.version);
        self.place().layer_arn(&versioned)
    }

    pub fn reference(&self) -> LayerReference {
        LayerReference {
            arn: self.arn(),
            code: self.code.clone(),
            unzipped: self.unzipped,
        }
    }
}

/// The image that holds these layers, in their order.
pub fn stacked(layers: &[LayerReference]) -> Option<ImageId> {
    let images: Option<Vec<ImageId>> = layers.iter().map(|layer| layer.code.image()).collect();
    images
        .filter(|images| !images.is_empty())
        .map(|images| ImageId::stacked(&images))
}
