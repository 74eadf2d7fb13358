//! The page of all processes: the series of this process, then those of each member, then the small families
//! of all processes. It is rendered while it is sent.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use flate2::Crc;
use prometheus::proto::MetricFamily;
use tokio::time::Instant;

use super::{
    link::{Link, Responses},
    member_series::{MemberSeries, Piece},
    protocol::{ToMember, ToOpener},
};
use crate::exposition::{
    CHUNK_BYTES, CachedVersions, CounterSeries, Format, Render, Step, merge_families,
    write_families,
};

/// The tag of a field with number 15 and variable length, which `MetricFamily` does not define.
const PADDING: u8 = 0x7a;

/// The minimum length of padding: its tag and a length of five bytes.
pub const MIN_PADDING: u64 = 6;

/// Ends a page for its members when it is dropped. If the page is complete, each member records what the
/// scraper has seen.
pub struct PageEnd {
    members: Mutex<Vec<(Arc<Link>, u64)>>,
    is_complete: AtomicBool,
}

impl PageEnd {
    /// Creates the end of a page that these members have begun.
    pub fn new(members: Vec<(Arc<Link>, u64)>) -> Arc<Self> {
        Arc::new(Self { members: Mutex::new(members), is_complete: AtomicBool::new(false) })
    }

    /// Records that the scraper has received the page.
    pub fn complete(&self) {
        self.is_complete.store(true, Ordering::Relaxed);
    }

    /// Ends the page of one member as incomplete.
    fn fail(&self, number: u32) {
        let mut members = self.members();
        if let Some(index) = members.iter().position(|(link, _)| link.number == number) {
            let (link, page) = members.swap_remove(index);
            end(&link, page, false);
        }
    }

    fn members(&self) -> MutexGuard<'_, Vec<(Arc<Link>, u64)>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for PageEnd {
    fn drop(&mut self) {
        let is_complete = self.is_complete.load(Ordering::Relaxed);
        for (link, page) in self.members().drain(..) {
            end(&link, page, is_complete);
        }
    }
}

/// Ends a page of a member.
pub fn end(link: &Link, page: u64, is_complete: bool) {
    link.forget(page);
    link.send(ToMember::End { page, is_complete });
}

/// The page of all processes.
pub struct ClusterPage {
    position: Position,
    own: CounterSeries,
    members: Vec<MemberSeries>,
    /// The small families of this process.
    families: Vec<MetricFamily>,
    /// Makes the family that names the processes that did not respond.
    incomplete: Incomplete,
    format: Format,
    end: Arc<PageEnd>,
    /// The checksum of the last block.
    crc: Crc,
    /// The number of bytes to write in place of the series that a member did not send.
    padding: u64,
}

/// Makes the family `hypertrace_scrape_incomplete` from the numbers of the processes that have not
/// responded, and of those that have.
pub type Incomplete = Box<dyn Fn(&[u32], &[u32]) -> MetricFamily + Send>;

enum Position {
    Measure,
    Header,
    Own,
    Member(usize),
    Families,
}

/// The contents of a page.
pub struct Contents {
    /// The series of this process.
    pub own: CounterSeries,
    /// The small families of this process.
    pub families: Vec<MetricFamily>,
    /// The members that have begun the page.
    pub members: Vec<MemberSeries>,
    /// Makes the family of processes that did not respond.
    pub incomplete: Incomplete,
    /// Ends the page of the members.
    pub end: Arc<PageEnd>,
}

impl ClusterPage {
    /// Starts a page with these contents.
    #[must_use]
    pub fn new(format: Format, contents: Contents) -> Self {
        let Contents { own, families, mut members, incomplete, end } = contents;
        if let Some(first) = members.first_mut() {
            first.request();
        }
        Self {
            position: Position::Measure,
            own,
            members,
            families,
            incomplete,
            format,
            end,
            crc: Crc::new(),
            padding: 0,
        }
    }

    fn render_member(&mut self, index: usize, out: &mut Vec<u8>) -> Step {
        if self.padding > 0 {
            return self.pad(out);
        }
        let Some(member) = self.members.get_mut(index) else {
            self.position = Position::Families;
            return Step::Text { more: true };
        };
        match member.next() {
            Some(Piece::Text(text)) => {
                out.extend_from_slice(&text);
                return Step::Text { more: true };
            }
            Some(Piece::Block(block)) => {
                out.extend_from_slice(&block.bytes);
                self.crc = block.crc;
                return Step::Deflated;
            }
            None => {}
        }
        if !member.is_over() {
            // Nothing to send at present.
            return Step::Text { more: true };
        }
        if member.has_failed() {
            let length = member.protobuf_length();
            self.end.fail(member.number());
            self.begin_padding(length, out);
        }
        self.position = Position::Member(index + 1);
        if let Some(next) = self.members.get_mut(index + 1) {
            next.request();
        }
        Step::Text { more: true }
    }

    /// Begins an unknown field in place of the missing series. It has their length, because the length of the
    /// family in its header includes them.
    fn begin_padding(&mut self, length: u64, out: &mut Vec<u8>) {
        if length > 0 {
            out.extend_from_slice(&[PADDING, 0x80, 0x80, 0x80, 0x80, 0]);
            self.padding = length.saturating_sub(MIN_PADDING);
            let start = out.len() - 5;
            let mut rest = self.padding;
            for byte in &mut out[start..] {
                *byte |= (rest & 0x7f).to_le_bytes()[0];
                rest >>= 7;
            }
        }
    }

    fn pad(&mut self, out: &mut Vec<u8>) -> Step {
        let length = self.padding.min(CHUNK_BYTES as u64);
        self.padding -= length;
        out.resize(out.len() + usize::try_from(length).unwrap_or(0), 0);
        Step::Text { more: true }
    }

    fn write_families(&mut self, out: &mut Vec<u8>) {
        let mut families = std::mem::take(&mut self.families);
        let (mut present, mut absent) = (Vec::new(), Vec::new());
        for member in self.members.drain(..) {
            if member.has_failed() {
                absent.push(member.number());
            } else {
                present.push(member.number());
                merge_families(&mut families, member.families);
            }
        }
        families.push((self.incomplete)(&absent, &present));
        write_families(out, self.format, &families);
    }
}

impl Render for ClusterPage {
    fn render(&mut self, cached: &CachedVersions<'_>, out: &mut Vec<u8>) -> Step {
        match self.position {
            Position::Measure => {
                if !self.own.measure() {
                    self.position = Position::Header;
                }
                Step::Text { more: true }
            }
            Position::Header => {
                let more = self.members.iter().map(MemberSeries::protobuf_length).sum();
                self.own.write_header(out, more);
                self.position = Position::Own;
                Step::Text { more: true }
            }
            Position::Own => {
                let step = self.own.render(cached, out);
                if self.own.is_finished() {
                    self.position = Position::Member(0);
                }
                step
            }
            Position::Member(index) => self.render_member(index, out),
            Position::Families => {
                self.write_families(out);
                Step::Text { more: false }
            }
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.position {
            Position::Member(index) if self.padding == 0 => {
                self.members.get_mut(index).map_or(Poll::Ready(()), |member| member.poll_ready(cx))
            }
            _ => Poll::Ready(()),
        }
    }

    fn checksum(&self) -> Option<&Crc> {
        Some(&self.crc)
    }
}

/// Waits until a member has started its page. Returns `None` if the member has not done so by the time
/// `until`.
pub async fn head(
    link: &Link,
    responses: &mut Responses,
    until: Instant,
) -> Option<(u64, Vec<u8>)> {
    match tokio::time::timeout_at(until, responses.receiver.recv()).await {
        Ok(Some(ToOpener::Head { length, families, .. })) => Some((length, families)),
        Ok(_) => None,
        Err(_) => {
            link.set_late();
            None
        }
    }
}
