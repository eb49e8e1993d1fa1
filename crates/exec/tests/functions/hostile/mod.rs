//! A function that tries whatever might lead out of its environment, in each way in which that can
//! come to be: executed for it, parked and completed, forked from a zygote.

mod exhaust;
mod led_out;
mod randomness;
mod reach;
mod stage;
mod system_calls;
