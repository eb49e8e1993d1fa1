//! What a connection is told to do, in order: a short queue that takes no memory while it is empty.

use std::collections::VecDeque;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore};

/// Messages that may wait for their client.
const WAITING: usize = 8;

/// What a connection is told to do.
#[derive(Debug)]
pub enum Order {
    /// Text, where it is UTF-8.
    Send(Bytes),
    Close {
        code: u16,
        reason: &'static str,
    },
}

/// The connection has ended, and takes no more orders.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended;

/// The orders of one connection. Most connections have none most of the time, and a channel of tokio's
/// holds room for 32 from its beginning.
#[derive(Debug)]
pub struct Orders {
    waiting: Mutex<VecDeque<Order>>,
    /// Closed when the connection ends.
    room: Semaphore,
    arrived: Notify,
}

impl Default for Orders {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            room: Semaphore::new(WAITING),
            arrived: Notify::new(),
        }
    }
}

impl Orders {
    /// Adds a message, once there is room for it.
    pub async fn send(&self, message: Bytes) -> Result<(), Ended> {
        let room = self.room.acquire().await.map_err(|_| Ended)?;
        // It comes back when the message is taken.
        room.forget();
        self.waiting.lock().push_back(Order::Send(message));
        self.arrived.notify_one();
        Ok(())
    }

    /// Has the connection closed after what waits.
    pub fn close(&self, code: u16, reason: &'static str) -> Result<(), Ended> {
        if self.room.is_closed() {
            return Err(Ended);
        }
        let mut waiting = self.waiting.lock();
        // Once is enough: what may wait stays bounded.
        if !matches!(waiting.back(), Some(Order::Close { .. })) {
            waiting.push_back(Order::Close { code, reason });
        }
        self.arrived.notify_one();
        Ok(())
    }

    /// The next order. Of one connection's task alone.
    pub async fn next(&self) -> Order {
        loop {
            if let Some(order) = self.take() {
                return order;
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self) -> Option<Order> {
        let mut waiting = self.waiting.lock();
        let order = waiting.pop_front()?;
        if waiting.is_empty() {
            *waiting = VecDeque::new();
        }
        if matches!(order, Order::Send(_)) {
            self.room.add_permits(1);
        }
        Some(order)
    }

    /// No more orders are taken, and nobody waits for room any longer.
    pub fn end(&self) {
        self.room.close();
        self.waiting.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt as _;

    use super::*;

    fn text(order: &Order) -> String {
        match order {
            Order::Send(message) => String::from_utf8_lossy(message).into_owned(),
            Order::Close { code, .. } => code.to_string(),
        }
    }

    #[tokio::test]
    async fn orders_come_in_order_and_wait_for_room() {
        let orders = Arc::new(Orders::default());
        for number in 0..WAITING {
            orders.send(number.to_string().into()).await.unwrap();
        }
        assert_eq!(orders.send("8".into()).now_or_never(), None);
        let late = tokio::spawn({
            let orders = Arc::clone(&orders);
            async move { orders.send("8".into()).await }
        });
        // A close does not wait.
        orders.close(1001, "Going away").unwrap();
        orders.close(1001, "Going away").unwrap();
        let mut came = Vec::new();
        for _ in 0..=WAITING + 1 {
            came.push(text(&orders.next().await));
        }
        assert_eq!(late.await.unwrap(), Ok(()));
        came.sort();
        let expected = ["0", "1", "1001", "2", "3", "4", "5", "6", "7", "8"];
        assert_eq!(came, expected);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_connection_that_has_ended() {
        let orders = Arc::new(Orders::default());
        for number in 0..WAITING {
            orders.send(number.to_string().into()).await.unwrap();
        }
        let late = tokio::spawn({
            let orders = Arc::clone(&orders);
            async move { orders.send("8".into()).await }
        });
        orders.end();
        assert_eq!(late.await.unwrap(), Err(Ended));
        assert_eq!(orders.send("9".into()).await, Err(Ended));
        assert_eq!(orders.close(1000, ""), Err(Ended));
    }
}
