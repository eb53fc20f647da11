//! `global.services.observability`: metrics and traces.

use crate::{
    contract_macro::{contract, contract_enum},
    scalars::{Expanded, TimeSpan},
};

contract! {
    /// Metrics and traces.
    pub struct Observability {
        /// Metrics.
        metrics: Metrics = Metrics::default(),
        /// Traces for OpenTelemetry.
        tracing: Tracing = Tracing::default(),
    }

    /// Metrics.
    pub struct Metrics {
        /// Whether they are served.
        enabled: bool = true,
        /// The address to bind.
        address: Expanded = Expanded("127.0.0.1".into()),
        /// The port to bind.
        port: u16 = 9190,
        /// Metrics over the last minutes and hours.
        windowed_metrics: WindowedMetrics = WindowedMetrics::default(),
    }

    /// Metrics over the last minutes and hours.
    pub struct WindowedMetrics {
        /// Whether they are on.
        enabled: bool = false,
        /// The windows; if empty, 1m, 5m, 15m, 1h and 24h.
        time_windows: Vec<TimeSpan> = Vec::new(),
        /// The period after which they are computed again.
        update_interval: TimeSpan = TimeSpan::seconds(10),
        /// Whether each model has its own.
        model_metrics: bool = false,
        /// Whether queue lengths are estimated.
        queue_depth_estimation: bool = false,
        /// The most models; 0 sets no bound of its own.
        max_models: u32 = 0,
    }

    /// Traces for OpenTelemetry.
    pub struct Tracing {
        /// Whether they are sent.
        enabled: bool = true,
        /// What makes them.
        provider: TracingProvider = TracingProvider::OpenTelemetry,
        /// Where they go.
        exporter: TraceExporter = TraceExporter::default(),
        /// Which of them go.
        sampling: TraceSampling = TraceSampling::default(),
        /// What they say about this process.
        resource: TraceResource = TraceResource::default(),
    }

    /// Where traces go.
    pub struct TraceExporter {
        /// How they are sent.
        kind as "type": TraceExporterKind = TraceExporterKind::Otlp,
        /// The receiver's `host:port`.
        endpoint: Expanded = Expanded("vllm-sr-jaeger:4317".into()),
        /// Whether the connection is not encrypted.
        insecure: bool = true,
    }

    /// Which traces are sent.
    pub struct TraceSampling {
        /// How they are chosen.
        kind as "type": TraceSamplingKind = TraceSamplingKind::AlwaysOn,
        /// The share of `traceidratio`, 0..=1.
        rate: f64 = 1.0,
    }

    /// What traces say about this process.
    pub struct TraceResource {
        /// Its name.
        service_name: String = "vllm-sr".into(),
        /// Its version.
        service_version: String = "v0.3.0".into(),
        /// Where it runs.
        deployment_environment: String = "development".into(),
    }
}

contract_enum! {
    /// What makes traces.
    pub enum TracingProvider {
        /// OpenTelemetry.
        OpenTelemetry = "opentelemetry" | "",
    }

    /// How traces are sent.
    pub enum TraceExporterKind {
        /// To a receiver that speaks OTLP.
        Otlp = "otlp" | "",
        /// To the standard output.
        Stdout = "stdout",
    }

    /// How traces are chosen.
    pub enum TraceSamplingKind {
        /// All.
        AlwaysOn = "always_on" | "",
        /// None.
        AlwaysOff = "always_off",
        /// A share of them.
        TraceIdRatio = "traceidratio" | "probabilistic",
    }
}
