//! A member's side: responds to the requests of the opener.

use std::{
    cell::RefCell,
    collections::HashMap,
    future::Future,
    io,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncWriteExt as _, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot},
    task::{JoinSet, yield_now},
    time::timeout,
};

use super::{
    blocks::BlockWriter,
    connection::{BoxSocket, FrameReader},
    contend::Membership,
    protocol::{Document, MAX_FRAME, PageRequest, ToMember, ToOpener},
};
use crate::{
    exposition::{CHUNK_BYTES, CounterSeries, Format, write_families},
    gather::Gatherer,
    server::{HistoryError, Limits, Source, gzip::PageCaches, panics::Panicked},
};

/// The maximum number of pages at a time. The server of the opener allows fewer scrapes.
const MAX_PAGES: usize = 512;

/// An upper bound of the bytes of an answer before its document.
const ANSWER_HEAD: usize = 64;

/// The maximum number of documents at a time.
const MAX_DOCUMENTS: usize = 4;

/// The answer to a request for a document that does not fit into a frame.
const TOO_LONG: &str = "The document of this process is too long. Use a lower limit.";

/// The answer to a request for a document at [`MAX_DOCUMENTS`].
const TOO_MANY: &str = "This process prepares too many documents at present.";

/// The maximum time for which the last message is written.
const LEAVE_LIMIT: Duration = Duration::from_millis(100);

/// The reason why a member no longer responds to an opener.
pub enum End {
    /// The opener ends, and has closed the port. It may still request chunks of pages that have begun.
    Ending,
    /// The connection has ended.
    Closed,
}

/// The connection of a member to its opener.
pub struct Connection {
    frames: FrameReader<ReadHalf<BoxSocket>>,
    writer: WriteHalf<BoxSocket>,
    /// True if the last frame may have been written in part.
    is_writing: bool,
    gatherer: Arc<Gatherer>,
    source: Arc<dyn Source>,
    caches: PageCaches,
    pages: HashMap<u64, Page>,
    /// The tasks that prepare pages and documents. They may wait for the JavaScript threads.
    tasks: JoinSet<()>,
    /// The number of documents that are being prepared.
    documents: Rc<RefCell<usize>>,
    ready: mpsc::UnboundedReceiver<Ready>,
    sender: mpsc::UnboundedSender<Ready>,
}

/// A page that is being sent.
struct Page {
    series: CounterSeries,
    /// Writes the series as deflated blocks; `None` if the page is not compressed.
    blocks: Option<BlockWriter>,
}

enum Ready {
    Page { request: PageRequest, page: Box<Page>, families: Vec<u8> },
    Answer(ToOpener),
}

impl Connection {
    /// Creates a connection that responds with the pages of `gatherer` and the documents of `source`.
    pub fn new(membership: Membership, gatherer: Arc<Gatherer>, source: Arc<dyn Source>) -> Self {
        let (reader, writer) = tokio::io::split(membership.socket);
        let (sender, ready) = mpsc::unbounded_channel();
        Self {
            frames: FrameReader::resume(reader, membership.read, MAX_FRAME),
            writer,
            is_writing: false,
            gatherer,
            source,
            caches: PageCaches::new(Limits::default().cache_bytes),
            pages: HashMap::new(),
            tasks: JoinSet::new(),
            documents: Rc::default(),
            ready,
            sender,
        }
    }

    /// Responds to the opener until the opener or the connection ends.
    pub async fn serve(&mut self) -> End {
        loop {
            match self.turn().await {
                Ok(Some(end)) => return end,
                Ok(None) => {}
                Err(_) => return End::Closed,
            }
        }
    }

    /// Responds to an opener that ends, until `left` is ready and each page has ended, or until the sender of
    /// `left` is dropped.
    pub async fn drain(mut self, mut left: oneshot::Receiver<()>) {
        let mut has_left = false;
        while !has_left || !self.pages.is_empty() {
            tokio::select! {
                sent = &mut left, if !has_left => match sent {
                    Ok(()) => has_left = true,
                    Err(_) => break,
                },
                turn = self.turn() => if turn.is_err() { return },
            }
        }
        self.leave().await;
    }

    /// Ends the connection.
    pub async fn leave(mut self) {
        if !self.is_writing {
            let _ = timeout(LEAVE_LIMIT, self.send(&ToOpener::Leave)).await;
        }
    }

    async fn send(&mut self, message: &ToOpener) -> io::Result<()> {
        self.is_writing = true;
        self.writer.write_all(&message.encode()).await?;
        self.is_writing = false;
        Ok(())
    }

    async fn turn(&mut self) -> io::Result<Option<End>> {
        tokio::select! {
            frame = self.frames.next() => {
                let message = ToMember::decode(&frame?);
                self.receive(message.map_err(|_| io::ErrorKind::InvalidData)?).await
            }
            // The channel does not end, as `sender` exists.
            Some(ready) = self.ready.recv() => {
                let message = match ready {
                    Ready::Answer(answer) => answer,
                    Ready::Page { request, page, families } => {
                        let length = page.series.protobuf_length();
                        self.pages.insert(request.page, *page);
                        ToOpener::Head { page: request.page, length, families }
                    }
                };
                self.send(&message).await?;
                Ok(None)
            }
        }
    }

    async fn receive(&mut self, message: ToMember) -> io::Result<Option<End>> {
        while self.tasks.try_join_next().is_some() {}
        match message {
            ToMember::Start(request) => self.start(request),
            ToMember::Pull(page) => self.send_chunk(page).await?,
            ToMember::End { page, is_complete } => {
                let page = self.pages.remove(&page).filter(|_| is_complete);
                if let Some(Page { series, .. }) = page {
                    self.gatherer.counter().complete(&series.record(), Instant::now());
                }
            }
            ToMember::Ask { request, document, query, js_timeout } => match document {
                Document::Summary => {
                    self.answer(request, self.source.summary(&query, js_timeout));
                }
                Document::History => {
                    let history = self.source.history(&query);
                    let work = async { history.await.map_err(HistoryError::into_sentence) };
                    self.answer(request, work);
                }
            },
            ToMember::Ending => return Ok(Some(End::Ending)),
            ToMember::Welcome(_) | ToMember::Differs { .. } => {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        Ok(None)
    }

    fn start(&mut self, request: PageRequest) {
        if self.pages.len() + self.tasks.len() >= MAX_PAGES {
            return;
        }
        let (gatherer, sender) = (Arc::clone(&self.gatherer), self.sender.clone());
        let cache = request.gzip.then(|| Rc::clone(self.caches.get(request.format)));
        if let Some(cache) = &cache {
            cache.record_use(Limits::default().cache_idle);
        }
        self.tasks.spawn_local(async move {
            gatherer.refresh(request.js_timeout).await;
            let mut families = Vec::new();
            write_families(&mut families, Format::Protobuf, &gatherer.families());
            let counter = Arc::clone(gatherer.counter());
            let mut series = CounterSeries::new(counter, request.format, request.scraper);
            while series.measure() {
                yield_now().await;
            }
            let page = Box::new(Page { series, blocks: cache.map(BlockWriter::new) });
            let _ = sender.send(Ready::Page { request, page, families });
        });
    }

    async fn send_chunk(&mut self, number: u64) -> io::Result<()> {
        let Some(page) = self.pages.get_mut(&number) else { return Ok(()) };
        let bytes = page.chunk().map_err(|_| io::ErrorKind::Other)?;
        let more = !page.series.is_finished();
        let chunk = ToOpener::Chunk { page: number, more, bytes };
        self.send(&chunk).await
    }

    /// Answers each request, because the opener stops requesting from a late member that leaves requests
    /// unanswered.
    fn answer(
        &mut self,
        request: u64,
        work: impl Future<Output = Result<Vec<u8>, String>> + 'static,
    ) {
        let answer = move |document: Result<Vec<u8>, String>| {
            let is_ok = document.is_ok();
            let bytes = document.unwrap_or_else(String::into_bytes);
            Ready::Answer(ToOpener::Answer { request, is_ok, bytes })
        };
        let (sender, documents) = (self.sender.clone(), Rc::clone(&self.documents));
        if *documents.borrow() >= MAX_DOCUMENTS {
            let _ = sender.send(answer(Err(TOO_MANY.to_owned())));
            return;
        }
        *documents.borrow_mut() += 1;
        self.tasks.spawn_local(async move {
            let mut document = work.await;
            if document.as_ref().is_ok_and(|json| json.len() + ANSWER_HEAD > MAX_FRAME) {
                document = Err(TOO_LONG.to_owned());
            }
            *documents.borrow_mut() -= 1;
            let _ = sender.send(answer(document));
        });
    }
}

impl Page {
    fn chunk(&mut self) -> Result<Vec<u8>, Panicked> {
        if let Some(blocks) = &mut self.blocks {
            return blocks.chunk(&mut self.series);
        }
        let mut text = Vec::new();
        while text.len() < CHUNK_BYTES && !self.series.is_finished() {
            self.series.render(&|_| None, &mut text);
        }
        Ok(text)
    }
}
