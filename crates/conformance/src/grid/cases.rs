use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

/// Runs `check` on `cases` draws; panics with the smallest that fails.
#[track_caller]
pub(super) fn on_draws<S: Strategy>(
    cases: u32,
    strategy: &S,
    check: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    // Three problems in ten may be rejected (see `expected`), of few problems more.
    let max_global_rejects = (cases * 3 / 10).max(30);
    let config =
        Config { cases, max_global_rejects, failure_persistence: None, ..Config::default() };
    match TestRunner::new(config).run(strategy, check) {
        Ok(()) => {}
        // On one line: a number a line would be hundreds.
        Err(TestError::Fail(reason, draw)) => panic!("{reason}\nby {draw:?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Runs a check that draws nothing; panics if it fails.
#[track_caller]
pub(super) fn once(check: impl FnOnce() -> Result<(), TestCaseError>) {
    if let Err(error) = check() {
        panic!("{error}");
    }
}
