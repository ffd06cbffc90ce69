//! Pictures are well-formed whatever is drawn, need no font, and refuse what cannot be drawn.
#![cfg(feature = "plot")]

use eventprop::metrics::{EpochRecord, LayerActivity, Score};
use eventprop::plot::{Curve, Field, Row, confusion, curves, raster, weights};

/// A name that would break a document it is pasted into.
const NAME: &str = "<a & \"b\">";

/// Tags are closed in order, and text is escaped.
#[track_caller]
fn check(svg: &str, words: &[&str]) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').unwrap_or_else(|| panic!("<{tag} is not closed"));
        assert!(!text.contains('>') && !text.replace("&amp;", "").contains("& "), "{text}");
        let name = tag.split([' ', '\n']).next().unwrap();
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name)),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty(), "{open:?}");
    for family in svg.split("font-family=\"").skip(1) {
        assert!(family.starts_with("sans-serif\""), "{family}");
    }
    for word in words {
        assert!(svg.contains(word), "{word} is missing");
    }
}

fn history(epochs: u32) -> Vec<EpochRecord> {
    let record = |epoch: u32| EpochRecord {
        epoch,
        lr: 0.1,
        train_loss: 2.0 / f64::from(epoch),
        train_accuracy: 0.5,
        validation: None,
        test: Score { loss: 2.5 / f64::from(epoch), accuracy: 0.6 },
        layers: vec![LayerActivity { layer: NAME.into(), spikes_per_sample: 12.5, silent: 3 }],
        grazing: 0,
        clipped: 0,
        lifted: 0,
        bumps: 0,
        bump_gave_up: 0,
        samples: 10,
        seconds: 1.0,
    };
    (1..=epochs).map(record).collect()
}

#[test]
fn curves_of_any_number_of_runs_and_epochs() {
    for epochs in [1, 2, 300] {
        let history = history(epochs);
        let one = Curve { name: "one", history: &history };
        check(&curves(&[one]).unwrap(), &["loss", "accuracy (%)", "spikes a sample", "training"]);
        let two = Curve { name: NAME, history: &history[..1] };
        check(&curves(&[one, two]).unwrap(), &["one", "&lt;a"]);
    }
    assert!(curves(&[]).is_err());
    let mut broken = history(3);
    broken[1].train_loss = f64::NAN;
    let svg = curves(&[Curve { name: "", history: &broken }]).unwrap();
    assert!(!svg.contains("NaN"), "a gap is drawn there");
}

#[test]
fn rasters_with_and_without_spikes() {
    let rows = [
        Row::Spikes { name: NAME.into(), size: 3, spikes: vec![(1.0, 0), (2.5, 2)] },
        Row::Spikes { name: "silent".into(), size: 1, spikes: Vec::new() },
        Row::Voltages { name: "out".into(), lines: vec![vec![(0.0, 0.0), (9.0, 0.0)]; 2] },
    ];
    let svg = raster(NAME, 10.0, &rows).unwrap();
    check(&svg, &["time (ms)", "&lt;a", "silent", "out: V"]);
    assert_eq!(svg.matches("<circle").count(), 2);
    assert!(raster("", 10.0, &[]).is_err());
    let broken = Row::Voltages { name: "out".into(), lines: vec![vec![(0.0, f64::INFINITY)]] };
    assert!(raster("", 10.0, &[broken]).is_err());
}

#[test]
fn confusions_show_every_mistake() {
    let svg = confusion(&[vec![5, 1, 0], vec![0, 7, 0]]).unwrap();
    check(&svg, &["prediction", "label"]);
    assert!(!svg.contains("\nnone\n"), "nothing was left unpredicted");
    check(&confusion(&[vec![5, 1, 0], vec![0, 7, 2]]).unwrap(), &["\nnone\n"]);
    assert!(confusion(&[]).is_err());
}

#[test]
fn fields_of_any_shape() {
    let field = |shape: [usize; 2], weights: Vec<f64>| Field { name: NAME.into(), shape, weights };
    let fields = [field([2, 2], vec![0.5, -0.5, 0.0, 0.25]), field([1, 3], vec![0.0; 3])];
    check(&weights("in to out", &fields).unwrap(), &["in to out", "±0.5"]);
    check(&weights("nothing but 0", &[field([1, 2], vec![0.0; 2])]).unwrap(), &[]);
    for broken in [field([2, 2], vec![0.0; 3]), field([1, 1], vec![f64::NAN])] {
        assert!(weights("", &[broken]).is_err());
    }
    assert!(weights("", &[]).is_err());
}
