//! The connections of clients: what each is doing, how long it may, and which one makes room for another.

use super::limits::LIMITS;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// How long the head of a request may take from its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// How long a connection may stay without a request.
const IDLE: Duration = Duration::from_secs(75);
/// How long a client may read nothing of what is sent to it.
const STUCK: Duration = Duration::from_secs(60);

/// What a connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Between requests, or before the first.
    Idle,
    /// In the middle of the head of a request.
    Head,
    /// A request is being answered, or a tunnel is open.
    Busy,
}

impl Phase {
    /// Whether a connection has been in a phase for too long.
    fn is_over(self, age: Duration) -> bool {
        match self {
            Self::Idle => age > IDLE,
            Self::Head => age > HEAD,
            Self::Busy => false,
        }
    }
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Stay,
    /// End as soon as no request is open.
    Finish,
    /// End now.
    Leave,
}

/// One client's connection.
pub(super) struct Seat {
    number: u64,
    /// The port that it came to.
    port: u16,
    phase: Mutex<(Phase, Instant)>,
    /// Since when it takes nothing of what is sent to it.
    stuck: Mutex<Option<Instant>>,
    order: watch::Sender<Order>,
}

/// All connections of clients of this process.
#[derive(Default)]
struct Seats {
    taken: Mutex<BTreeMap<u64, Arc<Seat>>>,
    last: AtomicU64,
}

static SEATS: LazyLock<Seats> = LazyLock::new(Seats::default);

/// A seat for as long as its connection lives.
pub(super) struct Taken {
    pub(super) seat: Arc<Seat>,
    _room: OwnedSemaphorePermit,
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut taken = SEATS.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.remove(&self.seat.number);
    }
}

/// A request under way on a seat; the seat is idle again when it is dropped.
pub(super) struct Turn(Arc<Seat>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.enter(Phase::Idle);
    }
}

/// Gives a seat to a connection.
pub(super) fn take(port: u16, room: OwnedSemaphorePermit) -> Taken {
    let seat = Arc::new(Seat {
        port,
        number: SEATS.last.fetch_add(1, Ordering::Relaxed),
        phase: Mutex::new((Phase::Idle, Instant::now())),
        stuck: Mutex::default(),
        order: watch::Sender::new(Order::Stay),
    });
    let mut taken = SEATS.taken.lock().unwrap_or_else(PoisonError::into_inner);
    taken.insert(seat.number, seat.clone());
    Taken { seat, _room: room }
}

/// Room for one more connection; if there is none, the one that has been here longest of those without a request
/// is told to leave.
pub(super) fn room() -> Option<OwnedSemaphorePermit> {
    let taken = SEATS.taken.lock().unwrap_or_else(PoisonError::into_inner).len();
    let room = LIMITS.all.clone().try_acquire_owned().ok().filter(|_| taken < LIMITS.clients);
    if room.is_none() {
        make_room();
    }
    room
}

/// Tells the connection that has been here longest of those without a request to leave.
pub(super) fn make_room() {
    let taken = SEATS.taken.lock().unwrap_or_else(PoisonError::into_inner);
    let idle = |seat: &&Arc<Seat>| !seat.is_busy() && *seat.order.borrow() != Order::Leave;
    if let Some(seat) = taken.values().find(idle) {
        seat.tell(Order::Leave);
    }
}

/// Has the connections of a port end when no request is open on them.
pub(super) fn finish(port: u16) {
    let taken = SEATS.taken.lock().unwrap_or_else(PoisonError::into_inner);
    for seat in taken.values().filter(|seat| seat.port == port) {
        seat.tell(Order::Finish);
    }
}

/// Ends the connections that have been idle, in the middle of a head, or deaf for too long.
pub(super) fn sweep() {
    let taken = SEATS.taken.lock().unwrap_or_else(PoisonError::into_inner);
    for seat in taken.values() {
        let (phase, since) = seat.phase();
        let stuck = *seat.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        if phase.is_over(since.elapsed()) || stuck.is_some_and(|since| since.elapsed() > STUCK) {
            seat.tell(Order::Leave);
        }
    }
}

impl Seat {
    fn phase(&self) -> (Phase, Instant) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = (phase, Instant::now());
    }

    fn is_busy(&self) -> bool {
        self.phase().0 == Phase::Busy
    }

    /// Bytes came: if no request is under way, one begins.
    pub(super) fn hears(&self) {
        let mut phase = self.phase.lock().unwrap_or_else(PoisonError::into_inner);
        if phase.0 == Phase::Idle {
            *phase = (Phase::Head, Instant::now());
        }
    }

    /// Bytes were taken by the client, or none are at the moment.
    pub(super) fn sends(&self, taken: bool) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        *stuck = if taken { None } else { stuck.or_else(|| Some(Instant::now())) };
    }

    /// A request is there.
    pub(super) fn turn(self: &Arc<Self>) -> Turn {
        self.enter(Phase::Busy);
        Turn(self.clone())
    }

    pub(super) fn tell(&self, order: Order) {
        self.order.send_replace(order);
    }

    pub(super) fn orders(&self) -> watch::Receiver<Order> {
        self.order.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_head_and_an_idle_connection_end_and_a_request_may_take_its_time() {
        assert!(!Phase::Head.is_over(Duration::from_secs(9)));
        assert!(Phase::Head.is_over(Duration::from_secs(11)));
        assert!(!Phase::Idle.is_over(Duration::from_secs(60)));
        assert!(Phase::Idle.is_over(Duration::from_secs(76)));
        assert!(!Phase::Busy.is_over(Duration::from_secs(86_400)));
    }

    #[test]
    fn a_head_begins_with_its_first_byte_and_not_with_each() {
        let taken = take(0, room().expect("room"));
        taken.seat.hears();
        let (phase, since) = taken.seat.phase();
        assert_eq!(phase, Phase::Head);
        taken.seat.hears();
        assert_eq!(taken.seat.phase().1, since);
        drop(taken.seat.turn());
        assert_eq!(taken.seat.phase().0, Phase::Idle);
    }
}
