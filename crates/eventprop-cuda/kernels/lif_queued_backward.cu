// The adjoint of lif_queued: from spike to spike, the last first. Before each, all neurons go back through what
// they heard later: then it has arrived wherever it does, and the sum over neurons is its error.
#include "queue.cuh"
#include "recurrent.cuh"

// What a neuron hears from below.
template <class Arrivals>
struct Heard {
    Arrivals arrivals;

    static __device__ __forceinline__ Heard of(Layer const& below, Layer const&, int sample, Place const& place) {
        return {Arrivals::of(below, sample, place.column)};
    }
};

// A neuron on its way back, and how much it has still heard.
template <class Adjoint>
struct Returner : Adjoint {
    float now;
    int below, own;
    int kept;  // what it had heard before the last of its spikes that are still to come
};

template <class Adjoint>
__device__ __forceinline__ void rewind(Returner<Adjoint>& at, float time, Place const& place, int sample,
                                       Decay const& decay) {
    at.sweep(place, sample, decay, record_of(decay, at.now - time, NO_EVENT), time, at.now);
    at.now = time;
}

__device__ __forceinline__ void leave(Layer const& layer, size_t place, float by_weight, float by_time) {
    layer.mu[place] = by_weight;
    layer.by_time[place] = by_time;
}

// Back through the neuron's arrivals from `until` on, but not beyond those it had heard before its last spike.
template <class Arrivals, class Adjoint>
__device__ __forceinline__ void return_to(Returner<Adjoint>& at, float until, Arrivals const& arrivals,
                                          Queue const& queue, Layer const& layer, Place const& place,
                                          Decay const& decay, Lane const& lane, int kind) {
    Record const* records = layer.records + (size_t)lane.sample * layer.width + 1;
    while (at.below + at.own > at.kept) {
        float from_below = at.below > 0 ? arrivals.start(at.below) : -NEVER;
        float from_own = at.own > 0 ? queue.time(at.own - 1) : -NEVER;
        float time = fmaxf(from_below, from_own);
        if (time < until) break;
        int event = from_own >= from_below ? queue.event(--at.own) : arrivals.event(at.below--);
        rewind(at, time, place, lane.sample, decay);
        float weight = layer.weights[(size_t)records[event].source * layer.stride + lane.neuron];
        Mu mu = at.at_arrival(place, lane.sample, time, kind);
        float by_time = weight * (mu.mu_current - mu.mu_voltage) / decay.tau_syn;
        by_time = at.with_moved(by_time, place, lane.sample, event, kind);
        leave(layer, adjoint_place(layer, lane, event), mu.mu_current, by_time);
    }
}

// What the neuron had heard before the last of its first `spikes` spikes.
__device__ __forceinline__ int heard_before(Place const& place, int sample, int spikes) {
    Layer const& its = place.layer;
    if (spikes == 0) return 0;
    return its.spike_intervals[((size_t)sample * its.slots + spikes - 1) * its.stride + place.neuron];
}

// `every_spike` is the kind of what is measured where a loss drives voltages.
template <class Arrivals, template <class, class> class Neurons, class Adjoint>
__device__ __forceinline__ void walk_queued_back(Layer const& below, Layer const& layer, Control* control,
                                                 Above const& above, int every_spike, int first,
                                                 Member const* members, int* states,
                                                 float (*sums)[MAX_THREADS / WARP]) {
    // Where room lacked, spikes have no place among the arrivals of the layer above.
    if (is_faulty(control)) return;
    typedef Heard<Arrivals> Fixed;
    int sample = first + (int)blockIdx.x;
    size_t row = (size_t)sample * layer.width + 1;
    Neurons<Fixed, Returner<Adjoint>> neurons(below, layer, sample, members, states);
    auto queue_of = [&](int column) {
        int count = layer.heard_counts[(size_t)sample * layer.stride + column];
        return Queue::of(below, layer, sample, column, count);
    };
    neurons.begin([&](Place const& place, Fixed const& own) {
        Layer const& its = place.layer;
        Lane lane = lane_of(sample, place.column);
        for (int r = own.arrivals.events; r > own.arrivals.count; r--) {
            leave(layer, adjoint_place(layer, lane, own.arrivals.event(r)), 0.0f, 0.0f);
        }
        int spikes = its.spike_counts[(size_t)sample * its.stride + place.neuron];
        jumps_of(its, lane_of(sample, place.neuron), spikes);
        int kept = heard_before(place, sample, spikes), queued = queue_of(place.column).count;
        return Returner<Adjoint>{Adjoint::of(place, sample, spikes, every_spike), layer.duration, own.arrivals.count, queued, kept};
    });
    int events = below.counts[sample], turn = 0, grazing = 0;
    float owed = 0.0f;  // the error of a spike where it arrived over later connections
    for (int event = layer.counts[sample] - 1; event >= events; event--) {
        float time = layer.times[row + event];
        int sender = layer.records[row + event].source - below.sources;
        float part = 0.0f;
        neurons.each([&](Place const& place, Fixed const& own, Returner<Adjoint>& at) {
            Lane lane = lane_of(sample, place.column);
            return_to(at, time, own.arrivals, queue_of(place.column), layer, place, neurons.decay_of(place), lane,
                      every_spike);
            // The spike's error at this neuron. Where it came too late it has none.
            float delay = layer.delays ? layer.delays[(size_t)sender * layer.stride + place.column] : 0.0f;
            size_t kept = adjoint_place(layer, lane, event);
            if (time + delay > layer.duration) leave(layer, kept, 0.0f, 0.0f);
            part += layer.by_time[kept];
        });
        float error = owed + block_sum(part, sums[turn]);
        turn ^= 1;
        owed = error;
        if (sender >= layer.targets) continue;
        owed = 0.0f;
        neurons.at(sender, [&](Place const& place, Fixed const&, Returner<Adjoint>& at) {
            rewind(at, time, place, sample, neurons.decay_of(place));
            at.jump(place, sample, neurons.decay_of(place), time, error, above, every_spike, grazing);
            at.kept = heard_before(place, sample, at.spikes);
        });
    }
    neurons.each([&](Place const& place, Fixed const& own, Returner<Adjoint>& at) {
        Lane lane = lane_of(sample, place.column);
        return_to(at, 0.0f, own.arrivals, queue_of(place.column), layer, place, neurons.decay_of(place), lane,
                      every_spike);
    });
    if (grazing > 0) atomicAdd(&control->grazing, (unsigned long long)grazing);
}

// Grid: as lif_queued, over the samples from `first` on. sum_errors adds up the errors of what arrived from
// below.
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_backward(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first, Layer below) {
    // The warps' sums, of one spike and the next in turn.
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<CommonArrivals, OneEach, Adjoint>(below, layer, control, {above_errors, above_width, above_tiles},
                                              every_spike, first, nullptr, nullptr, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_backward_delayed(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first, Layer below) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<OwnArrivals, OneEach, Adjoint>(below, layer, control, {above_errors, above_width, above_tiles},
                                           every_spike, first, nullptr, nullptr, sums);
}

// Grid: as lif_queued_large, over the samples from `first` on.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_backward_large(
    Layer layer, Control* control, int every_spike, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<CommonArrivals, SeveralEach, Adjoint>(below, layer, control, {}, every_spike, first, members, states,
                                                  sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_backward_delayed_large(
    Layer layer, Control* control, int every_spike, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<OwnArrivals, SeveralEach, Adjoint>(below, layer, control, {}, every_spike, first, members, states,
                                               sums);
}
