//! Every data set is reached by its name in a configuration, from files written here in the format
//! of the published ones; what is not there is asked for.

use eventprop::{Config, Data, DataError, Samples};
use std::fs;
use std::path::Path;

/// A configuration that trains on `data` (the lines of `[data]`) with so many inputs and classes.
fn config(data: &str, inputs: usize, classes: usize) -> Config {
    let text = format!(
        "[data]\n{data}\n[network]\nduration = 400.0\n\
         [[network.layers]]\nname = \"in\"\nkind = \"input\"\nsize = {inputs}\n\
         [[network.layers]]\nname = \"out\"\nkind = \"li\"\nsize = {classes}\ntau_mem = 20\ntau_syn = 5\n\
         [[network.connections]]\nfrom = \"in\"\nto = \"out\"\nkind = \"dense\"\nweights = \"zeros\"\n\
         [loss]\nkind = \"vmax_cross_entropy\"\n\
         [training]\nepochs = 1\nbatch_size = 2\nlr = 0.1\noptimiser = {{ kind = \"adam\" }}\n"
    );
    Config::parse(&text, "test").unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn in_folder(name: &str, folder: &Path, more: &str) -> String {
    format!("name = \"{name}\"\nfolder = '{}'\n{more}\n", folder.display())
}

fn trains(samples: &Samples) -> Vec<Vec<(f32, u32)>> {
    (0..samples.len()).map(|sample| samples.spikes(sample).iter().collect()).collect()
}

fn labels(samples: &Samples) -> Vec<u32> {
    (0..samples.len()).map(|sample| samples.label(sample)).collect()
}

fn write_idx(path: &Path, dimensions: &[u32], elements: &[u8]) {
    let mut file = vec![0, 0, 8, dimensions.len() as u8];
    file.extend(dimensions.iter().flat_map(|dimension| dimension.to_be_bytes()));
    file.extend_from_slice(elements);
    fs::write(path, file).unwrap();
}

/// Two training images and one test image of 2 x 3 pixels, classes 0 and 1.
fn write_images(folder: &Path, prefix: &str, test: &str) {
    for (half, pixels) in
        [("train", &[255, 0, 0, 0, 0, 51, 0, 0, 0, 255, 255, 0][..]), (test, &[0, 204, 0, 0, 0, 0])]
    {
        let count = pixels.len() as u32 / 6;
        write_idx(
            &folder.join(format!("{prefix}{half}-images-idx3-ubyte")),
            &[count, 2, 3],
            pixels,
        );
        write_idx(
            &folder.join(format!("{prefix}{half}-labels-idx1-ubyte")),
            &[count],
            &[0, 1][..count as usize],
        );
    }
}

#[test]
fn image_sets_are_read_from_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path(), "", "t10k");
    let encoding = "encoding = { latency = { t_max = 20.0 } }";
    for name in ["mnist", "fashion_mnist", "kmnist"] {
        let data = Data::load(&config(&in_folder(name, folder.path(), encoding), 6, 2)).unwrap();
        assert_eq!(trains(&data.train), [[(0.0, 0), (16.0, 5)], [(0.0, 3), (0.0, 4)]], "{name}");
        assert_eq!(trains(&data.test), [[(4.0, 1)]], "{name}");
        assert_eq!(labels(&data.train), [0, 1]);
    }
}

#[test]
fn emnist_stands_upright_and_its_sets_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path(), "emnist-letters-", "test");
    write_images(folder.path(), "emnist-digits-", "test");
    let error = Data::load(&config(&in_folder("emnist", folder.path(), ""), 6, 2)).unwrap_err();
    assert!(error.to_string().contains("emnist-digits, emnist-letters"), "{error}");
    let letters = in_folder("emnist", folder.path(), "set = \"emnist-letters\"");
    let data = Data::load(&config(&letters, 6, 2)).unwrap();
    // Pixel (1, 2) of 2 x 3 is pixel (2, 1) of 3 x 2.
    assert_eq!(trains(&data.train), [[(0.0, 0), (16.0, 5)], [(0.0, 1), (0.0, 3)]]);
    assert_eq!((data.train.shape(), trains(&data.test)), ([1, 3, 2], vec![vec![(4.0, 2)]]));
}

#[test]
fn fashion_mnist_is_found_where_its_package_puts_it() {
    let config = config("name = \"fashion_mnist\"", 784, 10);
    match Data::load(&config) {
        Ok(data) => {
            assert_eq!((data.train.len(), data.test.len()), (60_000, 10_000));
            for samples in [&data.train, &data.test] {
                let mut counts = [0; 10];
                labels(samples).iter().for_each(|&label| counts[label as usize] += 1);
                assert_eq!(counts, [samples.len() / 10; 10]);
            }
        }
        Err(error) => {
            assert!(!Path::new("/usr/share/datasets/fashion-mnist").exists(), "{error}");
            assert!(error.to_string().contains("install Debian's package dataset-fashion-mnist"));
        }
    }
}

#[test]
fn what_is_not_there_is_asked_for_by_name_and_address() {
    let nowhere = tempfile::tempdir().unwrap();
    let recorded = "encoding = \"recorded\"";
    for (name, more, called, url) in [
        ("fashion_mnist", "", "Fashion-MNIST", "https://github.com/zalandoresearch/fashion-mnist"),
        ("kmnist", "", "KMNIST", "http://codh.rois.ac.jp/kmnist"),
        ("emnist", "", "EMNIST", "https://www.nist.gov"),
        #[cfg(feature = "hdf5")]
        ("shd", recorded, "Heidelberg Digits", "https://zenkelab.org/datasets"),
        #[cfg(feature = "hdf5")]
        ("ssc", recorded, "Speech Commands", "https://zenkelab.org/datasets"),
        ("nmnist", recorded, "N-MNIST", "https://www.garrickorchard.com"),
        ("dvs_gesture", recorded, "DVS128 Gesture", "https://research.ibm.com"),
    ] {
        let with_folder = in_folder(name, nowhere.path(), more);
        let mut settings = vec![with_folder];
        if name != "fashion_mnist" {
            settings.push(format!("name = \"{name}\"\n{more}"));
        }
        for settings in settings {
            let message = Data::load(&config(&settings, 10, 10)).unwrap_err().to_string();
            assert!(message.contains(called) && message.contains(url), "{message}");
            assert!(!message.contains('\n'), "{message}");
        }
    }
}

#[test]
fn yin_yang_is_the_published_or_another_draw() {
    let points = "name = \"yin_yang\"\nencoding = { points = { t_max = 30.0, bias = 0.0 } }\n";
    let published = Data::load(&config(points, 5, 3)).unwrap();
    let sizes = |data: &Data| {
        (data.train.len(), data.validation.as_ref().map(Samples::len), data.test.len())
    };
    assert_eq!(sizes(&published), (5000, Some(1000), 1000));
    let more = "draws = { train = { size = 7000, seed = 42 }, test = { size = 10, seed = 7 } }";
    let other = Data::load(&config(&format!("{points}{more}"), 5, 3)).unwrap();
    assert_eq!(sizes(&other), (7000, Some(1000), 10));
    assert_eq!(trains(&other.train)[..5000], trains(&published.train));
    assert_ne!(trains(&other.test), trains(&published.test)[..10]);
}

#[test]
fn images_move_before_the_camera() {
    let settings = "name = \"moving_mnist\"\nencoding = \"recorded\"\n";
    let folder = tempfile::tempdir().unwrap();
    let mut digits = vec![0; 6 * 784];
    for (image, pixels) in digits.chunks_mut(784).enumerate() {
        pixels[28 * 10 + 8..28 * 10 + 9 + image].fill(255);
    }
    for (half, images) in [("train", 4), ("t10k", 2)] {
        let at = |kind: &str| folder.path().join(format!("{half}-{kind}-ubyte"));
        write_idx(&at("images-idx3"), &[images, 28, 28], &digits[..images as usize * 784]);
        write_idx(&at("labels-idx1"), &[images], &[0, 1, 0, 1][..images as usize]);
    }
    let with = |more: &str| {
        let settings = format!("{settings}folder = '{}'\n{more}", folder.path().display());
        Data::load(&config(&settings, 2 * 34 * 34, 2)).unwrap()
    };
    let data = with("");
    assert_eq!(data.train.shape(), [2, 34, 34]);
    let count = |data: &Data| trains(&data.train).iter().map(Vec::len).sum::<usize>();
    assert!(count(&with("camera = { threshold = 0.9 }")) < count(&data));
    assert_ne!(trains(&data.train)[0], trains(&data.test)[0], "noise of its own");
    let (kept, validation) = (with("validation = 1"), trains(&data.train)[0].clone());
    assert_eq!(trains(&kept.validation.unwrap()), [validation]);
    assert_eq!(kept.train.len(), 3);
}

#[test]
fn recordings_are_read_from_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    // N-MNIST: one event a digit.
    for half in ["Train", "Test"] {
        for digit in 0..10_u8 {
            let sub = folder.path().join(half).join(digit.to_string());
            fs::create_dir_all(&sub).unwrap();
            fs::write(sub.join("00001.bin"), [digit, 1, 0x80, 3, 232]).unwrap();
        }
    }
    let settings = in_folder("nmnist", folder.path(), "encoding = \"recorded\"");
    let data = Data::load(&config(&settings, 2312, 10)).unwrap();
    assert_eq!(labels(&data.test), (0..10).collect::<Vec<_>>());
    assert_eq!(trains(&data.train)[4], [(1.0, 34 * 34 + 34 + 4)]);

    // DVS128 Gesture: one recording without events, one gesture.
    for half in ["train", "test"] {
        let name = format!("user_{half}");
        fs::write(folder.path().join(format!("trials_to_{half}.txt")), format!("{name}.aedat\n"))
            .unwrap();
        let header = "#!AER-DAT3.1\r\n#!END-HEADER\r\n";
        fs::write(folder.path().join(format!("{name}.aedat")), header).unwrap();
        let rows = "class,startTime_usec,endTime_usec\n3,10,20\n";
        fs::write(folder.path().join(format!("{name}_labels.csv")), rows).unwrap();
    }
    let settings = in_folder("dvs_gesture", folder.path(), "encoding = \"recorded\"");
    let data = Data::load(&config(&settings, 2 * 128 * 128, 11)).unwrap();
    assert_eq!((labels(&data.train), labels(&data.test)), (vec![2], vec![2]));
}

#[cfg(feature = "hdf5")]
#[test]
fn spoken_words_are_read_from_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let file = include_bytes!("../../mnist-spikes/tests/data/shd_like.h5");
    for name in ["shd_train", "shd_test", "ssc_train", "ssc_valid", "ssc_test"] {
        fs::write(folder.path().join(format!("{name}.h5")), file).unwrap();
    }
    for (name, classes, validates) in [("shd", 20, false), ("ssc", 35, true)] {
        let settings = in_folder(name, folder.path(), "encoding = \"recorded\"");
        let data = Data::load(&config(&settings, 700, classes)).unwrap();
        assert_eq!(trains(&data.train)[0], [(250.0, 3), (500.0, 699), (1000.0, 0)]);
        assert_eq!(data.validation.is_some(), validates);
    }
}

#[test]
fn numbers_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_images(folder.path(), "", "t10k");
    let settings = in_folder("mnist", folder.path(), "validation = 2");
    let error = Data::load(&config(&settings, 6, 2)).unwrap_err();
    assert!(
        matches!(&error, DataError::Description(description) if description.path == "data.validation")
    );
    let error = Data::load(&config(&in_folder("mnist", folder.path(), ""), 7, 2)).unwrap_err();
    assert!(error.to_string().contains("7 neurons, the data 6 inputs"), "{error}");
}
