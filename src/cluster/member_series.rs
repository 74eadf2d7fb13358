//! The series of one member on a page: requested in chunks, checked, and passed on.

use std::{
    collections::VecDeque,
    future::Future as _,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use prometheus::proto::MetricFamily;
use tokio::{
    sync::mpsc,
    time::{Sleep, sleep},
};

use super::{
    blocks::Block,
    link::{Link, Responses},
    page::MIN_PADDING,
    protocol::{PageRequest, ToMember, ToOpener},
    series_check::SeriesCheck,
};
use crate::exposition::Format;

/// The series of a member on one page.
pub struct MemberSeries {
    link: Arc<Link>,
    page: u64,
    receiver: mpsc::Receiver<ToOpener>,
    /// The small families of the member.
    pub families: Vec<MetricFamily>,
    format: Format,
    gzip: bool,
    check: SeriesCheck,
    /// The series that the member may still send.
    series_left: usize,
    /// The bytes that are still to come in the protobuf format.
    bytes_left: u64,
    ready: VecDeque<Piece>,
    progress: Progress,
    timeout: Duration,
    deadline: Option<Pin<Box<Sleep>>>,
}

/// A piece of the series that can be sent.
pub enum Piece {
    /// Series in the format of the page.
    Text(Vec<u8>),
    /// Deflated series in the format of the page.
    Block(Block),
}

/// The progress of the series of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    /// No chunk is requested.
    Idle,
    /// A chunk is requested.
    Requested,
    /// The member has no more chunks.
    Finished,
    /// The member has not responded in time, or has sent bytes that are not its series.
    Failed,
}

impl MemberSeries {
    /// Creates the series of a member that has begun a page. The member may send at most `series` series of
    /// the counter `name`.
    pub fn new(
        link: Arc<Link>,
        responses: Responses,
        request: &PageRequest,
        head: (u64, Vec<MetricFamily>),
        (name, series): (&str, usize),
        timeout: Duration,
    ) -> Self {
        let check = SeriesCheck::new(request.format, name, link.number);
        let (length, families) = head;
        Self {
            page: responses.request,
            receiver: responses.receiver,
            families,
            format: request.format,
            gzip: request.gzip,
            check,
            series_left: series,
            bytes_left: length,
            ready: VecDeque::new(),
            progress: Progress::Idle,
            timeout,
            deadline: None,
            link,
        }
    }

    /// Returns the length of the series that are still to come; 0 in the text format.
    pub fn protobuf_length(&self) -> u64 {
        match self.format {
            Format::Text => 0,
            Format::Protobuf => self.bytes_left,
        }
    }

    /// Requests the next chunk, unless a chunk is requested or no more chunks will come.
    pub fn request(&mut self) {
        if self.progress == Progress::Idle {
            let is_sent = self.link.send(ToMember::Pull(self.page));
            self.progress = if is_sent { Progress::Requested } else { Progress::Failed };
            self.deadline = None;
        }
    }

    /// Waits until there is a piece to send, or no more pieces will come.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.ready.is_empty() && !self.is_over() {
            self.request();
            match self.receiver.poll_recv(cx) {
                Poll::Ready(Some(ToOpener::Chunk { more, bytes, .. })) => {
                    let is_valid = self.add(bytes).is_some();
                    self.progress = match (is_valid, more) {
                        (false, _) => Progress::Failed,
                        (true, true) => Progress::Idle,
                        (true, false) => Progress::Finished,
                    };
                    // The member renders the next chunk while this one is sent.
                    self.request();
                }
                Poll::Ready(_) => self.progress = Progress::Failed,
                Poll::Pending => {
                    let timeout = self.timeout;
                    let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(timeout)));
                    if deadline.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.link.set_late();
                    self.progress = Progress::Failed;
                }
            }
        }
        Poll::Ready(())
    }

    /// Removes the next piece that can be sent.
    pub fn next(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// Returns whether no more chunks will come.
    pub fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Finished | Progress::Failed)
    }

    /// Returns whether the member has failed to send all its series. Valid only if no more chunks will come.
    pub fn has_failed(&self) -> bool {
        self.progress == Progress::Failed || self.protobuf_length() > 0
    }

    /// Returns the number of the member.
    pub fn number(&self) -> u32 {
        self.link.number
    }

    /// Checks a chunk and adds its pieces. Returns `None` if its bytes are not series of the member.
    fn add(&mut self, bytes: Vec<u8>) -> Option<()> {
        if !self.gzip {
            let series = self.check.push(&bytes).ok().filter(|_| self.check.is_at_end())?;
            self.count(series, bytes.len() as u64)?;
            self.ready.push_back(Piece::Text(bytes));
            return Some(());
        }
        let blocks = self.link.check(self.format).check(&bytes, &mut self.check).ok()?;
        for block in blocks {
            self.count(block.series, block.crc.amount().into())?;
            self.ready.push_back(Piece::Block(block));
        }
        Some(())
    }

    fn count(&mut self, series: usize, length: u64) -> Option<()> {
        self.series_left = self.series_left.checked_sub(series)?;
        if self.format == Format::Protobuf {
            let left = self.bytes_left.checked_sub(length)?;
            // Series that the member omits at the end are replaced by padding, which has a minimum length.
            self.bytes_left = Some(left).filter(|&left| left == 0 || left >= MIN_PADDING)?;
        }
        Some(())
    }
}
