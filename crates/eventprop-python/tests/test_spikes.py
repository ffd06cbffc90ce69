"""Spike trains as arrays, and the encoders that make them."""

import pickle

import numpy as np
import pytest

import eventprop as ep
from conftest import small_network, small_spikes


def test_parts_are_plain_arrays_and_samples_are_views():
    times = np.array([1.0, 2.0, 0.5])
    indices = np.array([4, 3, 9], dtype=np.uint32)
    spikes = ep.Spikes(times, indices, [0, 2, 2, 3])
    assert len(spikes) == 3
    # What has the right type is taken as it is.
    assert spikes.times is times or np.shares_memory(spikes.times, times)
    assert np.shares_memory(spikes.indices, indices)
    first_times, first_indices = spikes[0]
    assert first_times.tolist() == [1.0, 2.0] and first_indices.tolist() == [4, 3]
    assert np.shares_memory(first_times, times) and np.shares_memory(first_indices, indices)
    assert [len(times) for times, _ in spikes] == [2, 0, 1]
    assert spikes[-1][0].tolist() == [0.5]
    with pytest.raises(IndexError):
        spikes[3]
    assert ep.Spikes(times.astype(np.float32), indices, [0, 2, 2, 3]).times.dtype == np.float32
    one = ep.Spikes([1.0, 2.0], [0, 1])
    assert len(one) == 1 and one.times.dtype == np.float64
    copy = pickle.loads(pickle.dumps(spikes))
    assert np.array_equal(copy.times, times) and np.array_equal(copy.offsets, spikes.offsets)


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (([1.0], [0, 1]), "1 spike times, but 2 indices"),
        (([1.0, 2.0], [0, 1], [0, 3]), "offsets must ascend from 0 to the number of spikes, 2"),
        (([1.0, 2.0], [0, 1], [0, 2, 1, 2]), "offsets must ascend"),
        (([1.0, 2.0], [0, 1], []), "offsets must ascend"),
        (([2.0, 1.0], [0, 1]), "sample 0, spike 1: time 1 is not a finite"),
        (([-1.0], [0]), "sample 0, spike 0: time -1 is not"),
        (([float("nan")], [0]), "time NaN is not"),
        (([[1.0]], [0]), "times must have one dimension, not 2"),
    ],
)
def test_what_is_no_train_is_refused(parts, text):
    with pytest.raises(ep.Error) as raised:
        ep.Spikes(*parts)
    assert text in str(raised.value) and "\n" not in str(raised.value)


def test_results_are_moved_to_numpy_and_not_copied():
    run = ep.Engine(small_network(), "vmax_cross_entropy").run(small_spikes(dtype=np.float32))
    hidden = run.spikes["hidden"]
    assert hidden.times.dtype == np.float32 and len(hidden) == 4 and len(hidden.times) > 4
    for array in (hidden.times, hidden.indices, hidden.offsets):
        # Numpy does not own the memory: what Rust allocated is kept alive behind it.
        assert not array.flags.owndata and type(array.base).__name__ == "PySliceContainer"
        assert array.flags.writeable


def test_latency_is_what_it_says():
    images = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    spikes = ep.latency(images, t_min=2.0, t_max=12.0, cut=100)
    for (times, inputs), image in zip(spikes, images):
        grey = image.ravel().astype(np.float64)
        wanted = np.flatnonzero(grey > 100)
        assert sorted(inputs) == wanted.tolist()
        expected = 2.0 + (1.0 - grey[inputs] / 255.0) * 10.0
        assert np.allclose(times, expected, rtol=1e-6)
        assert np.all(np.diff(times) >= 0)
    flat = ep.latency(images.reshape(3, 20), 2.0, 12.0, 100)
    assert np.array_equal(flat.times, spikes.times)
    assert np.array_equal(flat.indices, spikes.indices)
    two = ep.two_time(images, 2.0, 12.0)
    assert set(two.times[two.offsets[0] : two.offsets[1]]) <= {2.0, 12.0} and len(two.times) == 60
    with pytest.raises(ep.Error, match="uint8"):
        ep.latency(images / 255.0)
    with pytest.raises(ep.Error, match="0 <= t_min <= t_max"):
        ep.latency(images, 5.0, 1.0)


def test_points_and_yin_yang():
    coordinates, classes = ep.yin_yang(1000, 40)
    assert coordinates.shape == (1000, 2) and set(classes) == {0, 1, 2}
    published = ep.Data.load(ep.Config.preset("yin-yang")).test
    settings = ep.Config.preset("yin-yang").to_dict()["data"]["encoding"]["points"]
    spikes, labels = published.batch()
    ours = ep.points(coordinates, **settings)
    assert np.array_equal(labels, classes)
    assert np.array_equal(ours.times, spikes.times)
    assert np.array_equal(ours.indices, spikes.indices)
    with pytest.raises(ep.Error, match="from 0 to 1"):
        ep.points([[0.5, 1.5]])


def test_mnist_is_in_the_package():
    (images, labels), (test_images, test_labels) = ep.mnist()
    assert images.shape == (60_000, 28, 28) and test_images.shape == (10_000, 28, 28)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    data = ep.Data.load(ep.Config.preset("mnist"))
    spikes, own = data.test.batch(10, 20)
    encoded = ep.latency(test_images[10:20])
    assert np.array_equal(own, test_labels[10:20])
    assert np.array_equal(spikes.times, encoded.times)
    assert (data.test.inputs, data.test.classes, data.test.shape) == (784, 10, (1, 28, 28))


def test_samples_are_checked():
    spikes = small_spikes()
    samples = ep.Samples(spikes, [0, 1, 2, 1])
    assert (len(samples), samples.classes) == (4, 3)
    for labels, options, text in [
        ([0, 1], {}, "labels: there are 2 for 4 samples"),
        ([0, 1, 2, 3], {"classes": 3}, "labels[3]: must be below 3, got 3"),
        ([0, 1, 2, 1], {"inputs": 2}, "must be below the 2 inputs"),
        ([0, 1, 2, 1], {"inputs": 5, "shape": (1, 2, 2)}, "does not make 5 inputs"),
    ]:
        with pytest.raises(ep.Error) as raised:
            ep.Samples(spikes, labels, **options)
        assert text in str(raised.value)


WRONG_COUNTS = [
    ([1.7], TypeError, "must be integers, they are float64"),
    ([1.0], TypeError, "must be integers, they are float64"),
    ([float("nan")], TypeError, "must be integers"),
    ([True], TypeError, "must be integers, they are bool"),
    ([2**32 + 1], ValueError, "must be from 0 to 4294967295, one is 4294967297"),
    ([-1], ValueError, "must be from 0 to 4294967295, one is -1"),
    (np.array([-1], dtype=np.int8), ValueError, "one is -1"),
]


@pytest.mark.parametrize(("values", "kind", "text"), WRONG_COUNTS)
def test_indices_and_labels_are_whole_numbers_in_range(values, kind, text):
    spikes = ep.Spikes([1.0], [0])
    engine = ep.Engine(small_network(), "vmax_cross_entropy")
    for name, call in [
        ("indices", lambda: ep.Spikes([1.0], values)),
        ("labels", lambda: ep.Samples(spikes, values)),
        ("labels", lambda: engine.grad(spikes, values)),
    ]:
        with pytest.raises(kind) as raised:
            call()
        assert str(raised.value).startswith(f"{name} must be") and text in str(raised.value)


def test_offsets_are_whole_numbers():
    for offsets in [[0, 1.9], np.array([0.0, 1.0]), [False, True]]:
        with pytest.raises(TypeError, match="offsets must be integers"):
            ep.Spikes([1.0], [0], offsets)
    with pytest.raises(ValueError, match="offsets must be from 0 to 18446744073709551615, one is -1"):
        ep.Spikes([1.0], [0], [-1, 1])


def test_integers_of_every_type_are_taken():
    for dtype in ["i1", "u1", "i2", ">i4", "u4", "i8", "u8"]:
        spikes = ep.Spikes([1.0, 2.0], np.array([3, 7], dtype), np.array([0, 1, 2], dtype))
        assert spikes.indices.dtype == np.uint32 and spikes.indices.tolist() == [3, 7]
        assert ep.Samples(spikes, np.array([0, 4], dtype)).classes == 5
    # An empty list has no type of its own: numpy makes it one of floats.
    assert len(ep.Spikes([], [], [0, 0, 0])) == 2
    assert len(ep.Samples(ep.Spikes([], [], [0]), [])) == 0
