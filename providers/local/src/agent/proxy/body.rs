//! Bodies on their way: what clients send and what replicas answer.

use super::super::metrics::{Measurement, Outcome};
use super::super::replica::Replica;
use super::links::Link;
use super::seats::Turn;
use super::stream::{PATIENCE, Stream};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Sleep;

/// How long a client may pause in the middle of a body.
pub(super) const PAUSE: Duration = Duration::from_secs(60);
/// A client that leaves in the middle of an answer that has taken this long may have had to wait too long.
const PATIENT: Duration = Duration::from_millis(500);
/// Bytes a second below which an answer only drips.
const DRIPPING: u128 = 1024;

pub(super) type Error = Box<dyn std::error::Error + Send + Sync>;
type Framed = Poll<Option<Result<Frame<Bytes>, Error>>>;

/// The body of a request to a replica.
pub(super) enum Outgoing {
    /// All of it; it can be sent again.
    Whole(Option<Bytes>),
    /// What the client is still sending.
    Passed(Box<Upload>),
}

/// How the body of a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Whole,
    /// The client broke off.
    Cut,
}

/// A body that is passed on while it comes.
pub(super) struct Upload {
    inner: Incoming,
    /// The request that it belongs to; another one when another replica is tried.
    pub(super) measurement: Option<Arc<Measurement>>,
    pause: Option<Pin<Box<Sleep>>>,
    ended: Option<oneshot::Sender<Sent>>,
    /// Whether all of it has been read.
    whole: Arc<AtomicBool>,
}

impl Upload {
    /// A body, and how it ends.
    pub(super) fn new(inner: Incoming) -> (Self, oneshot::Receiver<Sent>) {
        let (ended, sent) = oneshot::channel();
        let whole = Arc::default();
        (Self { inner, measurement: None, pause: None, ended: Some(ended), whole }, sent)
    }

    fn end(&mut self, sent: Sent) {
        self.whole.store(sent == Sent::Whole, Ordering::Release);
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(sent);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Framed {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(context) else {
            if self.pause.is_none()
                && let Some(measurement) = &self.measurement
            {
                measurement.waits_for_client();
            }
            let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
            if pause.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.end(Sent::Cut);
            return Poll::Ready(Some(Err("the client sent no more of its request".into())));
        };
        if self.pause.take().is_some()
            && let Some(measurement) = &self.measurement
        {
            measurement.waits_for_service();
        }
        match &frame {
            None => self.end(Sent::Whole),
            Some(Ok(_)) if self.inner.is_end_stream() => self.end(Sent::Whole),
            Some(Ok(_)) => {}
            Some(Err(_)) => self.end(Sent::Cut),
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Error::from)))
    }
}

impl Outgoing {
    /// Tells whether all of it has been read, now and later.
    pub(super) fn is_sent(&self) -> Arc<AtomicBool> {
        match self {
            Self::Whole(_) => Arc::new(AtomicBool::new(true)),
            Self::Passed(upload) => upload.whole.clone(),
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Framed {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passed(upload) => upload.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::Passed(upload) => upload.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Passed(upload) => upload.inner.size_hint(),
        }
    }
}

/// A request counts as open for as long as this lives.
pub(super) struct Open(Arc<Replica>);

impl Open {
    pub(super) fn on(replica: Arc<Replica>) -> Self {
        replica.open.fetch_add(1, Ordering::AcqRel);
        Self(replica)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The body of an answer to a client.
pub(super) enum Reply {
    /// What dax itself says.
    Text(Option<Bytes>, #[expect(dead_code, reason = "held until the text is sent")] Turn),
    /// What a replica says.
    Passed(Box<Answer>),
    /// Another protocol takes over.
    Nothing,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Framed {
        match &mut *self {
            Self::Text(text, _) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Passed(answer) => answer.poll(context),
            Self::Nothing => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text, _) => text.is_none(),
            Self::Passed(answer) => answer.inner.is_end_stream(),
            Self::Nothing => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text, _) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Passed(answer) => answer.inner.size_hint(),
            Self::Nothing => SizeHint::with_exact(0),
        }
    }
}

/// An answer of a replica: its connection moves while it is read, and the request ends with its last byte.
pub(super) struct Answer {
    pub(super) inner: Incoming,
    pub(super) link: Option<Link>,
    pub(super) measurement: Arc<Measurement>,
    /// What it counts as once all of it is through.
    pub(super) outcome: Outcome,
    /// Whether it has no end, so that it has been counted already.
    pub(super) is_stream: bool,
    /// Bytes of it that have come.
    pub(super) passed: usize,
    /// What the service took up to its head.
    pub(super) head: Duration,
    /// The client, whose leaving can be noticed once it has sent all of its request.
    pub(super) client: Stream,
    pub(super) sent: Arc<AtomicBool>,
    pub(super) left: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Held until its end, as the next.
    pub(super) _open: Open,
    pub(super) _turn: Turn,
}

impl Answer {
    /// Ends the request when nothing more will come.
    pub(super) fn settle(&mut self) {
        if self.inner.is_end_stream() {
            self.finish();
        }
    }

    fn finish(&mut self) {
        self.measurement.end(Some(self.outcome));
        if let Some(link) = self.link.take() {
            link.keep();
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Framed {
        let mut frame = Pin::new(&mut self.inner).poll_frame(context);
        if frame.is_pending()
            && let Some(link) = &mut self.link
        {
            link.drive(context);
            frame = Pin::new(&mut self.inner).poll_frame(context);
        }
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            self.passed += frame.data_ref().map_or(0, Bytes::len);
        }
        match &frame {
            Poll::Pending => return self.wait(context),
            Poll::Ready(None) => self.finish(),
            Poll::Ready(Some(Ok(_))) if self.inner.is_end_stream() => self.finish(),
            // Until the next look it is the client who takes its time.
            Poll::Ready(Some(Ok(_))) => self.measurement.waits_for_client(),
            Poll::Ready(Some(Err(_))) => {
                if self.is_stream {
                    self.measurement.metrics.refused();
                }
                self.measurement.end(Some(Outcome::Broken));
                self.link = None;
            }
        }
        self.left = None;
        frame.map(|frame| frame.map(|frame| frame.map_err(Error::from)))
    }

    /// The replica is waited for, unless the client has left.
    fn wait(&mut self, context: &mut Context<'_>) -> Framed {
        self.measurement.waits_for_service();
        if self.left.is_none() && self.sent.load(Ordering::Acquire) {
            self.left = Some(Box::pin(self.client.clone().left()));
        }
        let left = self.left.as_mut().is_some_and(|left| left.as_mut().poll(context).is_ready());
        if !left {
            return Poll::Pending;
        }
        self.abandon();
        self.left = None;
        Poll::Ready(Some(Err("the client has left".into())))
    }

    /// The client goes without all of it: for a service that it waited for in vain, that is an error.
    fn abandon(&mut self) {
        let took = self.measurement.served();
        let in_vain = self.measurement.waiting() >= PATIENCE
            || drips(took, took.saturating_sub(self.head), self.passed);
        self.measurement.end(Some(if in_vain { Outcome::Broken } else { self.outcome }));
        self.link = None;
    }
}

/// Whether an answer that has taken so long, so much of it since its head, only drips with so many bytes.
///
/// Whoever cancels a download that flows has changed its mind; whoever leaves what drips has waited for it in vain.
fn drips(took: Duration, since_head: Duration, bytes: usize) -> bool {
    took >= PATIENT
        && since_head >= PATIENCE
        && bytes as u128 * 1000 < since_head.as_millis() * DRIPPING
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.settle();
        self.abandon();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_drips_below_a_kibibyte_a_second_once_it_has_taken_half_a_second() {
        let drips = |took, since_head, bytes| {
            drips(Duration::from_millis(took), Duration::from_millis(since_head), bytes)
        };
        assert!(drips(1000, 1000, 5));
        assert!(drips(1000, 1000, 1023) && !drips(1000, 1000, 1024));
        assert!(!drips(499, 499, 0), "not long enough to be waited for in vain");
        assert!(drips(500, 500, 0));
        assert!(!drips(5000, 20, 0), "its head has just come");
        assert!(!drips(3_600_000, 3_600_000, 4_000_000), "a download that flows");
    }
}
