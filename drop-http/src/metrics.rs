//! What operators watch, as Prometheus text: counts of requests, their durations, open
//! sockets and events.
//!
//! The recorder belongs to the router: nothing global is installed, and two routers in one
//! process count apart. Labels are route templates, methods, statuses and the table's codes;
//! nothing that a client sends ever becomes a label.

#[cfg(feature = "metrics")]
pub(crate) use on::Metrics;

#[cfg(not(feature = "metrics"))]
pub(crate) use off::Metrics;

/// How a socket came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSocket,
    Sse,
    #[cfg(feature = "socketio")]
    SocketIo,
}

#[cfg(feature = "metrics")]
mod on {
    use std::collections::HashMap;
    use std::sync::{PoisonError, RwLock};
    use std::time::Duration;

    use axum::http::{Method, StatusCode};
    use metrics::{Counter, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
    use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

    use super::Transport;

    const REQUESTS: &str = "drop_http_requests_total";
    const SECONDS: &str = "drop_http_request_duration_seconds";
    const SOCKETS: &str = "drop_http_sockets";
    const FRAMES: &str = "drop_http_events_total";
    const RESYNCS: &str = "drop_http_resyncs_total";

    static METADATA: Metadata<'static> = Metadata::new("drop_http", Level::INFO, None);

    /// The counters of one router.
    pub(crate) struct Metrics {
        recorder: PrometheusRecorder,
        handle: PrometheusHandle,
        /// What was counted before, by route: finding a counter by its labels would cost more than
        /// counting.
        routes: RwLock<HashMap<String, Vec<Counted>>>,
    }

    /// Requests that have all labels in common.
    struct Counted {
        method: &'static str,
        status: StatusCode,
        outcome: &'static str,
        requests: Counter,
        seconds: Histogram,
    }

    impl Counted {
        fn count(&self, took: Duration) {
            self.requests.increment(1);
            self.seconds.record(took.as_secs_f64());
        }
    }

    impl Metrics {
        pub(crate) fn new() -> Self {
            const BUCKETS: [f64; 11] =
                [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0];
            // Refused only for an empty list of buckets.
            let builder = PrometheusBuilder::new().set_buckets(&BUCKETS);
            let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
            let counters = [
                (REQUESTS, "Requests by route, method, status and outcome"),
                (FRAMES, "Events sent to watchers, each counted once"),
                (RESYNCS, "Slow sockets that were given the present state instead of a backlog"),
            ];
            for (name, help) in counters {
                recorder.describe_counter(KeyName::from_const_str(name), None, help.into());
            }
            let name = KeyName::from_const_str(SECONDS);
            recorder.describe_histogram(name, Some(Unit::Seconds), "Time to answer".into());
            let name = KeyName::from_const_str(SOCKETS);
            recorder.describe_gauge(name, None, "Connected sockets".into());
            let handle = recorder.handle();
            Self { recorder, handle, routes: RwLock::default() }
        }

        pub(crate) fn request(
            &self,
            method: &Method,
            route: &str,
            status: StatusCode,
            outcome: &'static str,
            took: Duration,
        ) {
            let method = method_label(method);
            let same = |counted: &&Counted| {
                (counted.method, counted.status, counted.outcome) == (method, status, outcome)
            };
            {
                let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
                if let Some(known) = routes.get(route).and_then(|known| known.iter().find(same)) {
                    return known.count(took);
                }
            }
            let counted = self.register(method, route, status, outcome);
            counted.count(took);
            // Two who come at once count in the same counters, whichever of them stays here.
            let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
            let known = routes.entry(route.to_owned()).or_default();
            if !known.iter().any(|counted| same(&counted)) {
                known.push(counted);
            }
        }

        fn register(
            &self,
            method: &'static str,
            route: &str,
            status: StatusCode,
            outcome: &'static str,
        ) -> Counted {
            let route = Label::new("route", route.to_owned());
            let labels = vec![
                Label::from_static_parts("method", method),
                route.clone(),
                Label::new("status", status.as_str().to_owned()),
                Label::from_static_parts("outcome", outcome),
            ];
            let key = Key::from_parts(REQUESTS, labels);
            let requests = self.recorder.register_counter(&key, &METADATA);
            let labels = vec![Label::from_static_parts("method", method), route];
            let key = Key::from_parts(SECONDS, labels);
            let seconds = self.recorder.register_histogram(&key, &METADATA);
            Counted { method, status, outcome, requests, seconds }
        }

        pub(crate) fn connected(&self, transport: Transport) {
            let key = Key::from_parts(SOCKETS, vec![label(transport)]);
            self.recorder.register_gauge(&key, &METADATA).increment(1.0);
        }

        pub(crate) fn disconnected(&self, transport: Transport) {
            let key = Key::from_parts(SOCKETS, vec![label(transport)]);
            self.recorder.register_gauge(&key, &METADATA).decrement(1.0);
        }

        pub(crate) fn event(&self, event: &'static str) {
            let key = Key::from_parts(FRAMES, vec![Label::from_static_parts("event", event)]);
            self.recorder.register_counter(&key, &METADATA).increment(1);
        }

        pub(crate) fn resync(&self, transport: Transport) {
            let key = Key::from_parts(RESYNCS, vec![label(transport)]);
            self.recorder.register_counter(&key, &METADATA).increment(1);
        }

        /// The text for `/metrics`.
        pub(crate) fn render(&self) -> String {
            self.handle.render()
        }

        /// Moves what was recorded into its buckets, so that it does not pile up.
        pub(crate) fn tidy(&self) {
            self.handle.run_upkeep();
        }
    }

    fn label(transport: Transport) -> Label {
        let word = match transport {
            Transport::WebSocket => "websocket",
            Transport::Sse => "sse",
            #[cfg(feature = "socketio")]
            Transport::SocketIo => "socketio",
        };
        Label::from_static_parts("transport", word)
    }

    /// A client may invent methods.
    fn method_label(method: &Method) -> &'static str {
        match *method {
            Method::GET => "GET",
            Method::HEAD => "HEAD",
            Method::POST => "POST",
            Method::PATCH => "PATCH",
            Method::DELETE => "DELETE",
            Method::OPTIONS => "OPTIONS",
            _ => "other",
        }
    }

    impl std::fmt::Debug for Metrics {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Metrics").finish_non_exhaustive()
        }
    }
}

#[cfg(not(feature = "metrics"))]
mod off {
    use std::time::Duration;

    use axum::http::{Method, StatusCode};

    use super::Transport;

    /// Counts nothing: the feature `metrics` is off.
    #[derive(Debug)]
    pub(crate) struct Metrics;

    impl Metrics {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn request(
            &self,
            _: &Method,
            _: &str,
            _: StatusCode,
            _: &'static str,
            _: Duration,
        ) {
        }
        pub(crate) fn connected(&self, _: Transport) {}
        pub(crate) fn disconnected(&self, _: Transport) {}
        pub(crate) fn event(&self, _: &'static str) {}
        pub(crate) fn resync(&self, _: Transport) {}
        pub(crate) fn tidy(&self) {}
    }
}
