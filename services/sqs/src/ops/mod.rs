//! One file an operation; small ones share a file by resource.

mod batch;
mod change_message_visibility;
mod create_queue;
mod delete_message;
mod delete_queue;
mod find_queues;
mod move_tasks;
mod permissions;
mod purge_queue;
mod queue_attributes;
mod queue_tags;
mod receive_message;
mod send_message;
mod send_message_batch;
mod settings;

pub use change_message_visibility::{change_message_visibility, change_message_visibility_batch};
pub use create_queue::create_queue;
pub use delete_message::{delete_message, delete_message_batch};
pub use delete_queue::delete_queue;
pub use find_queues::{get_queue_url, list_dead_letter_source_queues, list_queues};
pub use move_tasks::{cancel_message_move_task, list_message_move_tasks, start_message_move_task};
pub use permissions::{add_permission, remove_permission};
pub use purge_queue::purge_queue;
pub use queue_attributes::{get_queue_attributes, set_queue_attributes};
pub use queue_tags::{list_queue_tags, tag_queue, untag_queue};
pub use receive_message::receive_message;
pub use send_message::send_message;
pub use send_message_batch::send_message_batch;
