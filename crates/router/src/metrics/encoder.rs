//! What the router's own models do.

use std::sync::atomic::Ordering;

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use vsr_encoder::Counters;

/// What is counted of the threads that run the models, and how long requests wait for them.
#[derive(Debug)]
pub(super) struct EncoderSeries {
    pub(super) reading: Histogram,
    queued: Gauge,
    cache_bytes: Gauge,
    texts: Counter,
    tokens: Counter,
    cache_hits: Counter,
    overloaded: Counter,
    failed: Counter,
    busy: Counter,
}

// === impl EncoderSeries

impl EncoderSeries {
    pub(super) fn new(reading: Histogram) -> Self {
        Self {
            reading,
            queued: Gauge::default(),
            cache_bytes: Gauge::default(),
            texts: Counter::default(),
            tokens: Counter::default(),
            cache_hits: Counter::default(),
            overloaded: Counter::default(),
            failed: Counter::default(),
            busy: Counter::default(),
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let reading = "Time to read a request's texts with the router's own models";
        registry.register("vsr_reading_latency_seconds", reading, self.reading.clone());
        registry.register("vsr_encoder_queue", "Windows of text that wait", self.queued.clone());
        registry.register(
            "vsr_encoder_cache_bytes",
            "Bytes of results that are kept",
            self.cache_bytes.clone(),
        );
        for (name, help, counter) in [
            ("vsr_encoder_windows", "Windows of text that a model read", &self.texts),
            ("vsr_encoder_tokens", "Tokens that models read", &self.tokens),
            ("vsr_encoder_cache_hits", "Windows whose result was known", &self.cache_hits),
            ("vsr_encoder_overloaded", "Windows that no model came to in time", &self.overloaded),
            ("vsr_encoder_failed", "Windows that a model failed at", &self.failed),
            ("vsr_encoder_busy_microseconds", "Time that threads spent with models", &self.busy),
        ] {
            registry.register(name, help, counter.clone());
        }
    }

    /// Shows what was counted elsewhere.
    pub(super) fn show(&self, counters: Counters) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.queued.set(gauge(counters.queued));
        self.cache_bytes.set(gauge(counters.cache_bytes));
        for (counter, value) in [
            (&self.texts, counters.done),
            (&self.tokens, counters.tokens),
            (&self.cache_hits, counters.cache_hits),
            (&self.overloaded, counters.overloaded),
            (&self.failed, counters.failed),
            (&self.busy, counters.busy_micros),
        ] {
            counter.inner().store(value, Ordering::Relaxed);
        }
    }
}
