//! The role of a process that shares a port. A member stays a member until its opener ends. Then it becomes
//! the opener, or a member of the next opener.

use std::sync::Arc;

use tokio::{
    sync::oneshot,
    task::spawn_local,
    time::{Duration, Instant},
};

use super::{
    contend::{EnterError, Membership, Opener, Role, enter_again},
    hub::{Acceptor, Hub},
    member::{Connection, End},
    options::ClusterOptions,
    rendezvous::{Rendezvous, remove_stale},
};
use crate::{
    gather::Gatherer,
    server::{Background, ListenerSet, Source, log},
};

/// The time in which the members of the previous opener can join with their numbers. A process without a
/// number gets one after this time.
const GRACE: Duration = Duration::from_secs(1);

/// One process of a port.
struct Process {
    options: ClusterOptions,
    gatherer: Arc<Gatherer>,
    source: Arc<dyn Source>,
    hub: Arc<Hub>,
    number: u32,
}

impl Role {
    /// Returns the number of this process.
    #[must_use]
    pub fn number(&self) -> u32 {
        match self {
            Self::Opener(opener) => opener.number,
            Self::Member(membership) => membership.number,
        }
    }
}

/// Returns the work of a process that has opened or joined a port, for its server thread. `source` makes the
/// documents of this process alone.
pub fn background(
    role: Role,
    options: ClusterOptions,
    gatherer: Arc<Gatherer>,
    source: Arc<dyn Source>,
    hub: Arc<Hub>,
) -> Background {
    let number = role.number();
    gatherer.set_process(number);
    let process = Process { options, gatherer, source, hub, number };
    Box::new(|set| Box::pin(process.run(role, set)))
}

impl Process {
    async fn run(mut self, mut role: Role, set: ListenerSet) {
        loop {
            self.set_number(role.number());
            role = match role {
                Role::Opener(opener) => return self.open(opener, &set).await,
                Role::Member(membership) => match self.join(membership, &set).await {
                    Some(role) => role,
                    None => return,
                },
            };
        }
    }

    /// Sets the number of this process. Pages of the previous connection have ended, or end soon.
    fn set_number(&mut self, number: u32) {
        if self.number != number {
            self.number = number;
            self.gatherer.set_process(number);
        }
    }

    /// Serves the port until this process stops.
    async fn open(&self, opener: Opener, set: &ListenerSet) {
        let Opener { listeners, rendezvous, number, has_predecessor } = opener;
        if let Err(error) = set.add(listeners) {
            log(&format!("port {} cannot be served: {error}", self.options.port));
            return;
        }
        let grace = has_predecessor.then(|| Instant::now() + GRACE);
        let mut guard = Guard { hub: &self.hub, rendezvous };
        let acceptor = Acceptor::new(Arc::clone(&self.hub), self.options.clone(), number, grace);
        acceptor.run(guard.rendezvous.as_mut(), set.closed()).await;
    }

    /// Responds as a member until the opener ends, then opens or joins the port again. Returns `None` if this
    /// process stops.
    async fn join(&mut self, membership: Membership, set: &ListenerSet) -> Option<Role> {
        let (gatherer, source) = (Arc::clone(&self.gatherer), Arc::clone(&self.source));
        let mut connection = Connection::new(membership, gatherer, source);
        let end = tokio::select! {
            end = connection.serve() => end,
            () = set.closed() => {
                connection.leave().await;
                remove_stale(&self.options.folders, self.options.port);
                return None;
            }
        };
        let (has_left, left) = oneshot::channel();
        let draining = matches!(end, End::Ending).then(|| spawn_local(connection.drain(left)));
        let port = self.options.port;
        let report =
            move |error: &EnterError| log(&format!("port {port} cannot be opened: {error}"));
        let number = self.number;
        let role = tokio::select! {
            role = enter_again(&mut self.options, number, report) => Some(role),
            () = set.closed() => None,
        };
        if role.is_some() {
            let _ = has_left.send(());
        } else {
            drop(has_left);
            if let Some(draining) = draining {
                let _ = draining.await;
            }
            remove_stale(&self.options.folders, port);
        }
        role
    }
}

/// Holds the rendezvous of an opener. If this value is dropped before the members have left, the opener's name
/// stays, so that the next opener finds it.
struct Guard<'a> {
    hub: &'a Hub,
    rendezvous: Option<Rendezvous>,
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if let Some(rendezvous) = &mut self.rendezvous {
            rendezvous.set_stays(!self.hub.is_empty());
        }
    }
}
