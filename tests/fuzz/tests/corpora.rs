//! Each target on its corpus, and some seconds further; always the same way.

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use keelson_tests_fuzz::{Corpus, TARGETS, run};

    /// Any number; another one is another run.
    const SEED: u64 = 20;

    /// How long each target is tried.
    const TIME: Duration = Duration::from_secs(2);

    #[test]
    fn every_parser_survives_its_corpus_and_what_comes_of_it() {
        std::thread::scope(|scope| {
            let one = |target: &'static keelson_tests_fuzz::Target| {
                let corpus = Corpus::read(target.name).unwrap();
                assert!(!corpus.0.is_empty(), "{} has no corpus", target.name);
                let outcome = run(target, &corpus, SEED, TIME);
                outcome.failure.map(|failure| {
                    format!("{}: {}\n{:?}", target.name, failure.why, String::from_utf8_lossy(&failure.input))
                })
            };
            let mut failures = Vec::new();
            for pair in TARGETS.chunks(2) {
                let running: Vec<_> = pair.iter().map(|target| scope.spawn(move || one(target))).collect();
                failures.extend(running.into_iter().filter_map(|running| running.join().unwrap()));
            }
            assert!(failures.is_empty(), "{}", failures.join("\n"));
        });
    }
}
