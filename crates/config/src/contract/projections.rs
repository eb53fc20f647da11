//! `routing.projections`.

use crate::contract_macro::{contract, contract_enum};

contract! {
    /// Derived concepts.
    pub struct Projections {
        /// Groups of rules of which one wins.
        partitions: Vec<Partition> = Vec::new(),
        /// Weighted sums of evidence.
        scores: Vec<Score> = Vec::new(),
        /// Bands of scores.
        mappings: Vec<Mapping> = Vec::new(),
    }

    /// A group of rules of which one wins.
    pub struct Partition {
        /// Its name.
        name: String = String::new(),
        /// How the winner's confidence is computed.
        semantics: PartitionSemantics = PartitionSemantics::Exclusive,
        /// The softmax temperature, above 0.
        temperature: Option<f64> = None,
        /// Domain rules, or embedding rules.
        members: Vec<String>,
        /// The member that wins when nothing matched.
        default: String,
    }

    /// A weighted sum of evidence.
    pub struct Score {
        /// Its name, unique.
        name: String,
        /// Always `weighted_sum`.
        method: ScoreMethod = ScoreMethod::WeightedSum,
        /// What is summed.
        inputs: Vec<ScoreInput>,
    }

    /// One summand.
    pub struct ScoreInput {
        /// A signal type, `kb_metric` or `projection`.
        kind as "type": String,
        /// The rule, score or output.
        name: Option<String> = None,
        /// The knowledge base of a `kb_metric`.
        kb: Option<String> = None,
        /// The metric of a `kb_metric`.
        metric: Option<String> = None,
        /// What the value is multiplied by.
        weight: f64,
        /// What is taken from the evidence.
        value_source: ValueSource = ValueSource::Default,
        /// The value when the rule matched; 1 if absent.
        matched as "match": Option<f64> = None,
        /// The value when it did not; 0 if absent.
        miss: Option<f64> = None,
    }

    /// Bands of a score.
    pub struct Mapping {
        /// Its name.
        name: String,
        /// The projection score that is put into bands.
        source: String,
        /// How many outputs it may emit.
        method: MappingMethod = MappingMethod::ThresholdBands,
        /// How an output's confidence is computed.
        calibration: Option<Calibration> = None,
        /// The bands.
        outputs: Vec<MappingOutput>,
    }

    /// How an output's confidence is computed.
    pub struct Calibration {
        /// Always `sigmoid_distance`.
        method: CalibrationMethod = CalibrationMethod::SigmoidDistance,
        /// The steepness; 12 if absent.
        slope: Option<f64> = None,
    }

    /// A band.
    pub struct MappingOutput {
        /// Its name, unique among all outputs.
        name: String,
        /// Below this.
        lt: Option<f64> = None,
        /// At most this.
        lte: Option<f64> = None,
        /// Above this.
        gt: Option<f64> = None,
        /// At least this.
        gte: Option<f64> = None,
    }
}

contract_enum! {
    /// How a partition's winner is scored.
    pub enum PartitionSemantics {
        /// By its own confidence.
        Exclusive = "exclusive",
        /// By a softmax over the contenders.
        SoftmaxExclusive = "softmax_exclusive",
    }

    /// How a score is computed.
    pub enum ScoreMethod {
        /// The sum of weight times value.
        WeightedSum = "weighted_sum",
    }

    /// What a score input takes from the evidence.
    pub enum ValueSource {
        /// `binary`, or `score` for metrics and projections.
        Default = "",
        /// `match` or `miss`.
        Binary = "binary",
        /// The confidence if matched, else 0.
        Confidence = "confidence",
        /// The raw value, matched or not.
        Raw = "raw",
        /// The metric's or score's value.
        Score = "score",
    }

    /// How many outputs a mapping may emit.
    pub enum MappingMethod {
        /// The first that holds.
        ThresholdBands = "threshold_bands" | "",
        /// All that hold.
        MultiEmit = "multi_emit",
    }

    /// How an output's confidence is computed.
    pub enum CalibrationMethod {
        /// A sigmoid of the distance to the nearest bound.
        SigmoidDistance = "sigmoid_distance" | "",
    }
}
