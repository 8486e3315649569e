//! Whether, where and how much is traced.

/// Whether, where and how much is traced.
#[derive(Clone, Debug, clap::Args)]
pub struct TraceFlags {
    /// Where spans go: an OTLP/gRPC collector such as http://127.0.0.1:4317 (`keelson trace-sink` is one). Without it
    /// nothing is traced.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// The share of new traces that is recorded, from 0 to 1; what comes with a W3C `traceparent` says so itself.
    #[arg(long, value_name = "RATIO", default_value_t = 1.0, value_parser = ratio)]
    pub trace_sample: f64,
}

// === impl TraceFlags ===

impl Default for TraceFlags {
    fn default() -> Self {
        Self { otlp_endpoint: None, trace_sample: 1.0 }
    }
}

fn ratio(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
        _ => Err("it is a number from 0 to 1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        trace: TraceFlags,
    }

    #[test]
    fn a_ratio_is_between_0_and_1() {
        for (text, fits) in [
            ("0", true),
            ("0.25", true),
            ("1", true),
            ("1.1", false),
            ("-1", false),
            ("NaN", false),
            ("x", false),
        ] {
            let parsed = Cli::try_parse_from(["x", &format!("--trace-sample={text}")]);
            assert_eq!(parsed.is_ok(), fits, "{text}");
        }
        assert_eq!(Cli::parse_from(["x"]).trace.trace_sample, 1.0);
    }
}
