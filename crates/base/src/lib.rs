//! Names and instants every crate shares: accounts, regions, ARNs, clocks, request ids; how to wait for
//! a moment, and to tell why something failed. No IO.

mod account;
mod arn;
mod causes;
mod clock;
mod lookout;
mod region;
mod request_id;
mod timestamp;

pub use account::{AccountId, InvalidAccountId};
pub use arn::{Arn, InvalidArn};
pub use causes::with_causes;
pub use clock::{Clock, ManualClock};
pub use lookout::Lookout;
pub use region::{InvalidRegion, Region};
pub use request_id::RequestId;
pub use timestamp::Timestamp;
