//! The source of the pages of all processes, in the server of the opener.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join;
use prometheus::proto::{LabelPair, MetricFamily};

use super::{
    PROCESS_LABEL,
    hub::Hub,
    link::{Link, Responses},
    member_series::MemberSeries,
    merge::{self, ProcessDocument},
    page::{ClusterPage, Contents, MIN_PADDING, PageEnd, end, head},
    protocol::{Document, PageRequest, ToMember, ToOpener},
    series_check::is_label_name,
};
use crate::{
    default_metrics::descriptors,
    exposition::{CounterSeries, apply_options, label, read_families},
    gather::{Gatherer, GathererSource},
    server::{BoxFuture, HistoryError, Scrape, ScrapeRequest, Source},
    sort::sort_by,
};

/// The time for which a page or a document waits for a member that did not respond in time before.
const LATE_TIMEOUT: Duration = Duration::from_millis(100);

/// The maximum length of a member's series in the protobuf format, in bytes.
const MAX_LENGTH: u64 = 1 << 34;

/// Serves the pages of all processes.
pub struct ClusterSource {
    gatherer: Arc<Gatherer>,
    hub: Arc<Hub>,
}

impl ClusterSource {
    /// Creates a source of the pages of this gatherer and of the members.
    #[must_use]
    pub fn new(gatherer: Arc<Gatherer>, hub: Arc<Hub>) -> Self {
        Self { gatherer, hub }
    }

    fn documents(&self, request: DocumentRequest) -> DocumentSource {
        let (gatherer, hub) = (Arc::clone(&self.gatherer), Arc::clone(&self.hub));
        DocumentSource { gatherer, hub, request }
    }
}

/// The time for which a document waits for another process.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Clone, Copy)]
struct DocumentRequest {
    document: Document,
    js_timeout: Duration,
}

/// Requests documents of this process and of the members.
struct DocumentSource {
    gatherer: Arc<Gatherer>,
    hub: Arc<Hub>,
    request: DocumentRequest,
}

/// The documents of a query.
enum Documents {
    /// The document of one process, and the numbers of all processes.
    One(Vec<u8>, Vec<u32>),
    /// The documents of all processes that have responded, and the numbers of the others.
    All(Vec<ProcessDocument>, Vec<u32>),
}

impl DocumentSource {
    /// Waits for the documents of a query.
    async fn get(self, query: &merge::Query) -> Result<Documents, HistoryError> {
        let links = self.hub.links();
        let own = self.gatherer.process();
        if let Some(process) = query.process {
            let mut numbers: Vec<u32> = links.iter().map(|link| link.number).chain([own]).collect();
            numbers.sort_unstable();
            let one = |document| Documents::One(document, numbers);
            if process == own {
                return self.own(&query.forwarded).await.map(one);
            }
            let link = links.iter().find(|link| link.number == process);
            let no_process = || HistoryError::Query(format!("There is no process {process}."));
            let link = link.ok_or_else(no_process)?;
            let document = self.document_of(link, self.ask(link, query), Instant::now()).await;
            let late = || HistoryError::Query(format!("Process {process} has not responded."));
            return document.unwrap_or_else(|| Err(late())).map(one);
        }
        let asked: Vec<_> = links.iter().map(|link| (link, self.ask(link, query))).collect();
        // If the query is wrong, the error of this process is returned.
        let document = self.own(&query.forwarded).await?;
        let mut documents: Vec<ProcessDocument> =
            ProcessDocument::read(own, &document).into_iter().collect();
        let mut absent = Vec::new();
        let since = Instant::now();
        for (link, responses) in asked {
            let document = self.document_of(link, responses, since).await.and_then(Result::ok);
            match document.and_then(|document| ProcessDocument::read(link.number, &document)) {
                Some(read) => documents.push(read),
                None => absent.push(link.number),
            }
        }
        Ok(Documents::All(documents, absent))
    }

    async fn own(&self, query: &str) -> Result<Vec<u8>, HistoryError> {
        let source = GathererSource(Arc::clone(&self.gatherer));
        match self.request.document {
            Document::Summary => {
                let document = source.summary(query, self.request.js_timeout).await;
                document.map_err(HistoryError::Query)
            }
            Document::History => source.history(query).await,
        }
    }

    fn ask(&self, link: &Link, query: &merge::Query) -> Option<Responses> {
        let DocumentRequest { document, js_timeout } = self.request;
        let query = query.forwarded.clone();
        link.request(|request| ToMember::Ask { request, document, query, js_timeout })
    }

    /// Waits for the document of a member. Returns `None` if the member has not responded in time. The wait for
    /// several members begins for all of them at the time `since`.
    async fn document_of(
        &self,
        link: &Link,
        responses: Option<Responses>,
        since: Instant,
    ) -> Option<Result<Vec<u8>, HistoryError>> {
        let mut responses = responses?;
        let limit = if link.is_late() { LATE_TIMEOUT } else { DOCUMENT_TIMEOUT };
        let until = tokio::time::Instant::from_std(since + limit);
        let answer = tokio::time::timeout_at(until, responses.receiver.recv()).await;
        link.forget(responses.request);
        match answer {
            Ok(Some(ToOpener::Answer { is_ok: true, bytes, .. })) => Some(Ok(bytes)),
            Ok(Some(ToOpener::Answer { bytes, .. })) => {
                let sentence = String::from_utf8_lossy(&bytes).into_owned();
                Some(Err(HistoryError::of_sentence(sentence)))
            }
            Ok(_) => None,
            Err(_) => {
                link.set_late();
                None
            }
        }
    }
}

impl Source for ClusterSource {
    fn scrape(&self, request: ScrapeRequest) -> BoxFuture<'static, Scrape> {
        let (gatherer, hub) = (Arc::clone(&self.gatherer), Arc::clone(&self.hub));
        Box::pin(async move {
            let started: Vec<_> =
                hub.links().iter().map(|link| Started::new(link, request)).collect();
            let (members, ()) =
                join(begin(started, &gatherer, request), gatherer.refresh(request.js_timeout))
                    .await;
            page(&gatherer, members, request)
        })
    }

    fn summary(
        &self,
        query: &str,
        js_timeout: Duration,
    ) -> BoxFuture<'static, Result<Vec<u8>, String>> {
        let request = DocumentRequest { document: Document::Summary, js_timeout };
        let (documents, query) = (self.documents(request), merge::Query::parse(query));
        Box::pin(async move {
            let query = query?;
            match documents.get(&query).await {
                Ok(Documents::One(document, numbers)) => {
                    Ok(merge::with_processes(document, &numbers))
                }
                Ok(Documents::All(documents, absent)) => {
                    Ok(merge::summary(&query, &documents, &absent))
                }
                Err(error) => Err(error.into_sentence()),
            }
        })
    }

    fn history(&self, query: &str) -> BoxFuture<'static, Result<Vec<u8>, HistoryError>> {
        let request = DocumentRequest { document: Document::History, js_timeout: Duration::ZERO };
        let (documents, query) = (self.documents(request), merge::Query::parse(query));
        Box::pin(async move {
            let query = query.map_err(HistoryError::Query)?;
            match documents.get(&query).await? {
                Documents::One(document, _) => Ok(document),
                Documents::All(documents, _) => Ok(merge::history(&query, &documents)),
            }
        })
    }

    fn run(&self) -> BoxFuture<'static, ()> {
        Box::pin(Arc::clone(&self.gatherer).record())
    }
}

/// A page that was requested from a member. The page ends when this value is dropped.
struct Started {
    link: Arc<Link>,
    request: PageRequest,
    responses: Option<Responses>,
}

impl Started {
    fn new(link: &Arc<Link>, scrape: ScrapeRequest) -> Self {
        let ScrapeRequest { js_timeout, format, gzip, scraper, .. } = scrape;
        let mut request = PageRequest { page: 0, format, gzip, scraper, js_timeout };
        let responses = link.request(|page| {
            request.page = page;
            ToMember::Start(request)
        });
        Self { link: Arc::clone(link), request, responses }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(responses) = &self.responses {
            end(&self.link, responses.request, false);
        }
    }
}

/// The members of a page.
#[derive(Default)]
struct Members {
    series: Vec<MemberSeries>,
    pages: Vec<(Arc<Link>, u64)>,
    /// The numbers of the members that have not begun the page in time.
    absent: Vec<u32>,
}

/// Waits until the members have begun the page.
async fn begin(started: Vec<Started>, gatherer: &Gatherer, scrape: ScrapeRequest) -> Members {
    let now = tokio::time::Instant::now();
    let mut members = Members::default();
    for mut started in started {
        let link = Arc::clone(&started.link);
        let timeout = if link.is_late() { LATE_TIMEOUT } else { scrape.process_timeout };
        let until = now + scrape.js_timeout + timeout;
        let head = match &mut started.responses {
            Some(responses) => head(&link, responses, until).await,
            None => None,
        };
        let checked = head.and_then(|(length, families)| {
            let is_length = length <= MAX_LENGTH && (length == 0 || length >= MIN_PADDING);
            let families =
                check_families(&families, link.number, gatherer).filter(|_| is_length)?;
            Some((length, families))
        });
        let Some((head, responses)) =
            checked.and_then(|head| Some((head, started.responses.take()?)))
        else {
            members.absent.push(link.number);
            continue;
        };
        members.pages.push((Arc::clone(&link), responses.request));
        let counter = gatherer.counter();
        let most = counter.stats().limit as usize + 1;
        let limits = (counter.name(), most);
        let series = MemberSeries::new(
            link,
            responses,
            &started.request,
            head,
            limits,
            scrape.process_timeout,
        );
        members.series.push(series);
    }
    members
}

fn page(gatherer: &Arc<Gatherer>, members: Members, request: ScrapeRequest) -> Scrape {
    let counter = Arc::clone(gatherer.counter());
    let own = CounterSeries::new(Arc::clone(&counter), request.format, request.scraper);
    let record = own.record();
    let Members { series, pages, absent } = members;
    let end = PageEnd::new(pages);
    let completed = Arc::clone(&end);
    let families = gatherer.families();
    let gatherer = Arc::clone(gatherer);
    let incomplete = Box::new(move |failed: &[u32], present: &[u32]| {
        incomplete(&gatherer, &[&absent, failed].concat(), present)
    });
    let contents = Contents { own, families, members: series, incomplete, end };
    Scrape {
        content_type: request.format.content_type().to_owned(),
        page: Box::new(ClusterPage::new(request.format, contents)),
        on_complete: Some(Box::new(move || {
            counter.complete(&record, Instant::now());
            completed.complete();
        })),
    }
}

/// Returns the family that shows which processes have not responded.
fn incomplete(gatherer: &Gatherer, absent: &[u32], present: &[u32]) -> MetricFamily {
    let value = |value: f64| move |number: &u32| (*number, value);
    let own = [gatherer.process()];
    let mut processes: Vec<(u32, f64)> = absent.iter().map(value(1.0)).collect();
    processes.extend(present.iter().chain(&own).map(value(0.0)));
    sort_by(&mut processes, |(a, _), (b, _)| a.cmp(b));
    let sample =
        |(number, value): (u32, f64)| (vec![label(PROCESS_LABEL, number.to_string())], value);
    let family = descriptors::INCOMPLETE.family(processes.into_iter().map(sample));
    let labels = gatherer.default_metrics().map_or(&[][..], |options| &options.default_labels);
    apply_options(vec![family], "", labels).swap_remove(0)
}

/// Reads the small families of a member. Returns `None` if they are not families of a page.
fn check_families(bytes: &[u8], number: u32, gatherer: &Gatherer) -> Option<Vec<MetricFamily>> {
    let mut families = read_families(bytes)?;
    let prefix = gatherer.default_metrics().map_or("", |options| &options.prefix);
    for family in &mut families {
        let descriptor = descriptors::find(family.name(), prefix)?;
        if family.get_field_type() != descriptor.metric_type() {
            return None;
        }
        family.set_help(descriptor.help().to_owned());
        for metric in family.mut_metric() {
            let mut labels = metric.take_label();
            labels.retain(|label| label.name() != PROCESS_LABEL);
            let mut names: Vec<&str> = labels.iter().map(LabelPair::name).collect();
            names.sort_unstable();
            let is_unique = names.windows(2).all(|pair| pair[0] != pair[1]);
            let are_names = |name: &&str| is_label_name(name.as_bytes()) && *name != "le";
            if !is_unique || !names.iter().all(are_names) {
                return None;
            }
            labels.push(label(PROCESS_LABEL, number.to_string()));
            metric.set_label(labels);
        }
    }
    Some(families)
}
