//! The opener's side: accepts members, and sends them requests.

use std::{
    cell::RefCell,
    future::Future,
    pin::pin,
    rc::Rc,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::AsyncWriteExt as _,
    sync::{Notify, mpsc},
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    VERSION,
    connection::{BoxSocket, FrameReader},
    link::Link,
    numbers::Numbers,
    options::{ClusterOptions, differing},
    protocol::{Hello, MAX_FRAME, MAX_HELLO, ToMember, ToOpener},
    rendezvous::Rendezvous,
};
use crate::{counter::RANGE, sort::sort_by};

/// The time in which a process that connects must send its [`Hello`].
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);

/// The time in which a message must be written to a member.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The maximum number of connections, of members and of processes that have not joined yet.
const MAX_CONNECTIONS: usize = 1024;

/// The pause after a failed accept.
const PAUSE: Duration = Duration::from_millis(100);

/// The members of this process, while it is the opener.
#[derive(Default)]
pub struct Hub {
    links: Mutex<Vec<Arc<Link>>>,
    /// Notified when a member has left.
    left: Notify,
    is_ending: AtomicBool,
}

impl Hub {
    /// Returns the members, in the order of their numbers.
    #[must_use]
    pub(super) fn links(&self) -> Vec<Arc<Link>> {
        self.list().clone()
    }

    /// Returns whether there is any member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list().is_empty()
    }

    /// Notifies the members that this process ends. No process joins from now on.
    fn end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
        for link in self.links() {
            link.send(ToMember::Ending);
        }
    }

    /// Waits until all members have left.
    async fn left(&self) {
        loop {
            let left = self.left.notified();
            if self.is_empty() {
                return;
            }
            left.await;
        }
    }

    fn add(&self, link: &Arc<Link>) {
        let mut links = self.list();
        links.push(Arc::clone(link));
        sort_by(&mut links, |a, b| a.number.cmp(&b.number));
    }

    fn remove(&self, link: &Arc<Link>) {
        self.list().retain(|other| !Arc::ptr_eq(other, link));
        link.close();
        self.left.notify_waiters();
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arc<Link>>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts members.
#[derive(Clone)]
pub struct Acceptor {
    hub: Arc<Hub>,
    options: ClusterOptions,
    numbers: Rc<RefCell<Numbers>>,
    grace: Option<Instant>,
}

impl Acceptor {
    /// Creates an acceptor for the opener with this number. Until `grace`, processes without a number wait,
    /// because the members of the previous opener may still come with their numbers.
    pub fn new(
        hub: Arc<Hub>,
        options: ClusterOptions,
        number: u32,
        grace: Option<Instant>,
    ) -> Self {
        let numbers = Rc::new(RefCell::new(Numbers::new(number)));
        Self { hub, options, numbers, grace }
    }

    /// Accepts members until `closed` is ready, then waits until all have left.
    pub async fn run(
        self,
        mut rendezvous: Option<&mut Rendezvous>,
        closed: impl Future<Output = ()>,
    ) {
        let mut tasks = JoinSet::new();
        let mut closed = pin!(closed);
        loop {
            let accepted = async {
                match &mut rendezvous {
                    Some(rendezvous) => rendezvous.accept().await,
                    None => std::future::pending().await,
                }
            };
            let accepted = tokio::select! {
                () = &mut closed => break,
                accepted = accepted => accepted,
            };
            let Ok(socket) = accepted else {
                tokio::select! {
                    () = &mut closed => break,
                    () = sleep(PAUSE) => continue,
                }
            };
            while tasks.try_join_next().is_some() {}
            if tasks.len() < MAX_CONNECTIONS {
                tasks.spawn_local(self.clone().serve(socket));
            }
        }
        // Members that look for the next opener must not connect to this one. The name of this opener stays until
        // its members have left.
        if let Some(rendezvous) = rendezvous {
            rendezvous.close();
        }
        self.hub.end();
        self.hub.left().await;
    }

    /// Serves one connection to its end.
    pub async fn serve(self, socket: BoxSocket) {
        let (reader, mut writer) = tokio::io::split(socket);
        let mut frames = FrameReader::new(reader, MAX_HELLO);
        let Ok(Ok(frame)) = timeout(HELLO_TIMEOUT, frames.next()).await else { return };
        let Ok(ToOpener::Hello(hello)) = ToOpener::decode(&frame) else { return };
        if let Some(refusal) = refusal(&hello, &self.options) {
            let _ = timeout(HELLO_TIMEOUT, writer.write_all(&refusal.encode())).await;
            // The other process closes the connection when it has read the refusal.
            let _ = timeout(HELLO_TIMEOUT, frames.next()).await;
            return;
        }
        if let Some(grace) = self.grace.filter(|_| hello.number.is_none()) {
            tokio::select! {
                () = sleep_until(grace) => {}
                _ = frames.next() => return,
            }
        }
        if self.hub.is_ending.load(Ordering::Relaxed) {
            return;
        }
        let number = self.numbers.borrow_mut().assign(hello.number);
        let (link, queue) = Link::new(number, self.options.max_series.div_ceil(RANGE) + 2);
        let joined = Joined { hub: self.hub, link: Arc::new(link), numbers: self.numbers };
        frames.set_limit(MAX_FRAME);
        joined.link.send(ToMember::Welcome(number));
        joined.hub.add(&joined.link);
        tokio::select! {
            () = read(&mut frames, &joined.link) => {}
            () = write(&mut writer, queue) => {}
        }
    }
}

/// A member that has joined. It is removed when this value is dropped, at the end of its connection.
struct Joined {
    hub: Arc<Hub>,
    link: Arc<Link>,
    numbers: Rc<RefCell<Numbers>>,
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.numbers.borrow_mut().free(self.link.number);
        self.hub.remove(&self.link);
    }
}

/// Returns the refusal of a process that cannot join.
fn refusal(hello: &Hello, options: &ClusterOptions) -> Option<ToMember> {
    if hello.version != VERSION {
        return Some(ToMember::Differs { option: "version".into(), value: VERSION.into() });
    }
    let (option, value) = differing(&options.shared, &hello.options)?;
    Some(ToMember::Differs { option, value })
}

async fn read<R: tokio::io::AsyncRead + Unpin>(frames: &mut FrameReader<R>, link: &Link) {
    while let Ok(frame) = frames.next().await {
        let is_valid = ToOpener::decode(&frame).is_ok_and(|response| link.receive(response));
        if !is_valid {
            return;
        }
    }
}

async fn write<W: tokio::io::AsyncWrite + Unpin>(
    writer: &mut W,
    mut queue: mpsc::Receiver<ToMember>,
) {
    while let Some(message) = queue.recv().await {
        let written = timeout(WRITE_TIMEOUT, writer.write_all(&message.encode())).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}
