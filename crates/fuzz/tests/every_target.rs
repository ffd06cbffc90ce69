//! Every parser survives some thousand malformed inputs.

use fuzz::{TARGETS, run};

#[test]
fn every_parser_takes_what_is_right_and_survives_what_is_not() {
    for target in &TARGETS {
        let mut right = 0;
        for file in target.corpus() {
            right += usize::from(target.accepts(&file));
        }
        assert!(right > 0, "{}: nothing of its corpus is right", target.name);
        let report = run(target, 1, 0, 3000).unwrap_or_else(|broken| {
            panic!("{}: {}\n{:?}", target.name, broken.what, String::from_utf8_lossy(&broken.input))
        });
        assert!(report.accepted < report.inputs, "{}: nothing is refused", target.name);
    }
}

#[test]
fn the_same_seed_makes_the_same_inputs() {
    let target = &TARGETS[2];
    let accepted = |first, count| run(target, 7, first, count).unwrap().accepted;
    assert_eq!(accepted(0, 400), accepted(0, 150) + accepted(150, 250));
}
