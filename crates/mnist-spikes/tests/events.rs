//! Event files in the formats of the published data sets, written here.

use mnist_spikes::events::{EventProblem, dvs_gesture, nmnist, read_aedat, read_nmnist};
use proptest::prelude::*;

/// Five bytes of N-MNIST.
fn nmnist_event(time: u32, x: u8, y: u8, on: bool) -> [u8; 5] {
    let [_, high, middle, low] = time.to_be_bytes();
    [x, y, high | u8::from(on) << 7, middle, low]
}

#[test]
fn n_mnist() {
    let folder = tempfile::tempdir().unwrap();
    let error = nmnist(folder.path()).unwrap_err();
    assert!(matches!(error.problem, EventProblem::Missing { name: "N-MNIST", .. }));
    for digit in 0..10_u8 {
        let sub = folder.path().join(digit.to_string());
        std::fs::create_dir(&sub).unwrap();
        let events = [
            nmnist_event(1_000, digit, 2, true),
            nmnist_event(1_500, 33, 33, false),
            nmnist_event(0, 0, 240, false),
            nmnist_event(2_000, 3, 4, true),
        ];
        std::fs::write(sub.join("00001.bin"), events.concat()).unwrap();
    }
    let data = nmnist(folder.path()).unwrap();
    assert_eq!(data.labels, (0..10).collect::<Vec<_>>());
    assert_eq!((data.inputs, data.shape), (2312, [2, 34, 34]));
    let train: Vec<_> = data.spikes.get(7).iter().collect();
    let expected =
        [(1.0, 34 * 34 + 2 * 34 + 7), (1.5, 33 * 34 + 33), (2.0 + 8.192, 34 * 34 + 4 * 34 + 3)];
    assert_eq!(train, expected);

    let file = folder.path().join("4/00001.bin");
    std::fs::write(&file, nmnist_event(5, 34, 0, true)).unwrap();
    let error = nmnist(folder.path()).unwrap_err().to_string();
    assert!(error.starts_with(file.to_str().unwrap()) && error.contains("(34, 0)"), "{error}");
}

/// A packet of AEDAT 3.1 of `size`-byte events.
fn packet(kind: u16, size: u32, overflow: u32, events: &[u8]) -> Vec<u8> {
    let count = events.len() as u32 / size;
    let mut packet = [kind.to_le_bytes(), 1_u16.to_le_bytes()].concat();
    for field in [size, 4, overflow, count, count, count] {
        packet.extend(field.to_le_bytes());
    }
    packet.extend(events);
    packet
}

fn polarity(time: u32, x: u32, y: u32, on: bool, valid: bool) -> Vec<u8> {
    let data = x << 17 | y << 2 | u32::from(on) << 1 | u32::from(valid);
    [data.to_le_bytes(), time.to_le_bytes()].concat()
}

fn recording() -> Vec<u8> {
    let mut file =
        b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#!END-HEADER\r\n".to_vec();
    let events = [
        polarity(900, 1, 1, true, true),
        polarity(1_000, 127, 5, true, true),
        polarity(2_500, 3, 4, false, true),
        polarity(2_600, 9, 9, true, false),
    ];
    file.extend(packet(1, 8, 0, &events.concat()));
    file.extend(packet(2, 12, 0, &[7; 24]));
    file.extend(packet(1, 8, 1, &polarity(352, 10, 20, true, true)));
    file
}

#[test]
fn gestures() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str, contents: &[u8]| std::fs::write(folder.path().join(name), contents).unwrap();
    let load = || dvs_gesture(folder.path(), "trials_to_train.txt");
    let error = load().unwrap_err().to_string();
    assert!(
        error.contains("trials_to_train.txt") && error.contains("https://research.ibm"),
        "{error}"
    );
    write("trials_to_train.txt", b"user01_lab.aedat\r\n\r\n");
    write("user01_lab.aedat", &recording());
    assert!(matches!(load().unwrap_err().problem, EventProblem::Missing { .. }));
    let late = (1_u64 << 31) + 252;
    let labels =
        format!("class,startTime_usec,endTime_usec\n2,1000,3000\n11,{late},{}\n", late + 200);
    write("user01_lab_labels.csv", labels.as_bytes());

    let data = load().unwrap();
    assert_eq!((data.labels, data.classes, data.shape), (vec![1, 10], 11, [2, 128, 128]));
    let trains: Vec<Vec<_>> = data.spikes.iter().map(|train| train.iter().collect()).collect();
    let first = vec![(0.0, 128 * 128 + 5 * 128 + 127), (1.5, 4 * 128 + 3)];
    assert_eq!(trains, [first, vec![(0.1, 128 * 128 + 20 * 128 + 10)]]);

    write("user01_lab_labels.csv", b"class,startTime_usec,endTime_usec\n12,0,5\n");
    let error = load().unwrap_err().to_string();
    assert!(error.contains("line 2") && error.contains("from 1 to 11"), "{error}");
    write("user01_lab.aedat", &recording()[..recording().len() - 1]);
    assert!(load().unwrap_err().to_string().contains("breaks off"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0_usize..200, flip: u8
    ) {
        let whole = bytes.len() % 5 == 0;
        let inside = bytes.chunks(5).all(|e| e.len() < 5 || e[1] == 240 || e[0].max(e[1]) < 34);
        prop_assert_eq!(read_nmnist(&bytes).is_ok(), whole && inside);
        prop_assert!(read_aedat(&bytes).is_err());
        let _ = read_aedat(&[&recording()[..62], &bytes].concat());
        let mut damaged = recording();
        let at = at % damaged.len();
        damaged[at] ^= flip;
        let _ = read_aedat(&damaged);
    }
}
