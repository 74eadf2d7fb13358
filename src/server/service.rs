//! Answers the requests of all connections: routes them, checks access, and dispatches. Server thread
//! only.

use std::{rc::Rc, sync::Arc, time::Instant};

use hyper::{
    Request, Response,
    body::Incoming,
    header::{ALLOW, HeaderValue},
};

use super::{
    Source,
    access::{AccessControl, AccessPolicy, Rejection},
    body::ResponseBody,
    connections::{Connection, Connections},
    gzip::PageCaches,
    limits::Limits,
    permits::PermitPools,
    response::{asset, rejection, set_common_headers, text},
    route::{Route, dispatch},
};

/// The allowed methods.
const METHODS: &str = "GET, HEAD";

/// The state that all connections of a server share.
pub(crate) struct Service {
    pub(super) source: Arc<dyn Source>,
    pub(crate) limits: Limits,
    pub(crate) connections: Rc<Connections>,
    pub(super) permits: PermitPools,
    pub(super) caches: PageCaches,
    access_control: AccessControl,
}

impl Service {
    pub(crate) fn new(source: Arc<dyn Source>, limits: Limits, policy: AccessPolicy) -> Self {
        Self {
            source,
            connections: Connections::new(limits.clone(), policy.credentials.is_some()),
            permits: PermitPools::new(&limits),
            caches: PageCaches::new(limits.cache_bytes),
            access_control: AccessControl::new(policy, limits.connections),
            limits,
        }
    }

    /// Responds to one request. Every failure becomes a response too.
    pub(crate) async fn respond(
        &self,
        request: Request<Incoming>,
        deadline: Instant,
        connection: &Connection,
    ) -> Response<ResponseBody> {
        let (route, closes) = dispatch(&request);
        let mut response = match self.admit(route, &request, connection).await {
            Ok(()) => self.respond_at(route, &request, deadline, connection).await,
            Err(reason) => rejection(reason),
        };
        set_common_headers(response.headers_mut(), closes);
        response
    }

    async fn admit(
        &self,
        route: Route,
        request: &Request<Incoming>,
        connection: &Connection,
    ) -> Result<(), Rejection> {
        let (headers, peer) = (request.headers(), &connection.peer);
        // The host of a malformed request is not certain, and the response reveals nothing.
        if !route.closes() {
            self.access_control.admit_host(headers, peer)?;
        }
        // An orchestrator sends a health check without credentials, and the response reveals nothing.
        if route == Route::Healthy {
            return Ok(());
        }
        self.access_control.admit_credentials(headers, peer).await?;
        if self.access_control.has_credentials() {
            connection.authenticate();
        }
        Ok(())
    }

    /// Responds to a request that was admitted.
    async fn respond_at(
        &self,
        route: Route,
        request: &Request<Incoming>,
        deadline: Instant,
        connection: &Connection,
    ) -> Response<ResponseBody> {
        let mut response = match route {
            Route::Metrics => {
                self.scrape(request, deadline, connection).await.unwrap_or_else(Into::into)
            }
            Route::Summary => {
                self.summary(request, deadline, connection).await.unwrap_or_else(Into::into)
            }
            Route::History => {
                self.history(request, deadline, connection).await.unwrap_or_else(Into::into)
            }
            Route::Live(file) => asset(file, request.headers()),
            _ => text(route.status(), route.text()),
        };
        if route.allows() {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
        }
        response
    }
}
