// The adjoint of lif_queued: from spike to spike, the last first. Before each, all neurons go back through what
// they heard later: then it has arrived wherever it does, and the sum over neurons is its error.
#include "queue.cuh"
#include "recurrent.cuh"

// A neuron on its way back: how much it has still heard.
struct Returner {
    float now, mu_voltage, mu_current;
    int below, own;
};

__device__ __forceinline__ void rewind(Returner& at, float time, Decay const& decay) {
    sweep(at.mu_voltage, at.mu_current, record_of(decay, at.now - time, -1), decay.ratio);
    at.now = time;
}

__device__ __forceinline__ void leave(Layer const& layer, size_t place, float by_weight, float by_time) {
    layer.mu[place] = by_weight;
    layer.by_time[place] = by_time;
}

// Back through the neuron's arrivals from `until` on, but not beyond the first `kept`.
template <class Arrivals>
__device__ __forceinline__ void return_to(Returner& at, float until, int kept, Arrivals const& arrivals,
                                          Queue const& queue, Layer const& layer, Lane const& lane) {
    Record const* records = layer.records + (size_t)lane.sample * layer.width + 1;
    while (at.below + at.own > kept) {
        float from_below = at.below > 0 ? arrivals.start(at.below) : -NEVER;
        float from_own = at.own > 0 ? queue.time(at.own - 1) : -NEVER;
        float time = fmaxf(from_below, from_own);
        if (time < until) break;
        int event = from_own >= from_below ? queue.event(--at.own) : arrivals.event(at.below--);
        rewind(at, time, layer.decay);
        float weight = layer.weights[(size_t)records[event].source * layer.stride + lane.neuron];
        float by_time = weight * (at.mu_current - at.mu_voltage) / layer.decay.tau_syn;
        leave(layer, adjoint_place(layer, lane, event), at.mu_current, by_time);
    }
}

template <class Arrivals>
__device__ __forceinline__ void walk_queued_back(Layer const& below, Layer const& layer, Control* control,
                                                 float const* above_errors, int above_width,
                                                 int above_tiles, int every_spike, int first,
                                                 float (*sums)[MAX_RECURRENT / WARP]) {
    // Where room lacked, spikes have no place among the arrivals of the layer above.
    if (is_faulty(control)) return;
    Lane lane = {first + (int)blockIdx.x, (int)threadIdx.x, (int)threadIdx.x / WARP, true};
    size_t row = (size_t)lane.sample * layer.width + 1;
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    Arrivals arrivals = Arrivals::of(below, lane.sample, lane.neuron);
    Queue queue = Queue::of(below, layer, lane.sample, lane.neuron, layer.heard_counts[place]);
    for (int r = arrivals.events; r > arrivals.count; r--) {
        leave(layer, adjoint_place(layer, lane, arrivals.event(r)), 0.0f, 0.0f);
    }
    int k = layer.spike_counts[place];
    Jumps jumps = jumps_of(layer, lane, k);
    size_t slot = ((size_t)lane.sample * layer.slots + k) * layer.stride + lane.neuron;
    // What it had heard before its last spike.
    int kept = k > 0 ? layer.spike_intervals[slot - layer.stride] : 0;
    Returner at = {layer.duration, 0.0f, 0.0f, arrivals.count, queue.count};
    int events = below.counts[lane.sample], turn = 0;
    for (int event = layer.counts[lane.sample] - 1; event >= events; event--) {
        float time = layer.times[row + event];
        int sender = layer.records[row + event].source - below.sources;
        return_to(at, time, kept, arrivals, queue, layer, lane);

        // The spike's error, in the order of warps. Where it came too late it has none.
        float delay = layer.delays ? layer.delays[(size_t)sender * layer.stride + lane.neuron] : 0.0f;
        size_t own = adjoint_place(layer, lane, event);
        if (time + delay > layer.duration) leave(layer, own, 0.0f, 0.0f);
        float part = warp_sum(layer.by_time[own]);
        if (lane.neuron % WARP == 0) sums[turn][lane.tile] = part;
        __syncthreads();
        float error = 0.0f;
        for (int tile = 0; tile < layer.tiles; tile++) error += sums[turn][tile];
        turn ^= 1;
        if (sender != lane.neuron) continue;

        rewind(at, time, layer.decay);
        k--;
        slot -= layer.stride;
        error += spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
        float after = at.mu_voltage / -layer.decay.tau_syn;
        at.mu_voltage = before_spike(jumps, layer.spike_slopes[slot], after, error) * -layer.decay.tau_syn;
        kept = k > 0 ? layer.spike_intervals[slot - layer.stride] : 0;
    }
    return_to(at, 0.0f, 0, arrivals, queue, layer, lane);
    if (jumps.grazing > 0) atomicAdd(&control->grazing, (unsigned long long)jumps.grazing);
}

// Grid: as lif_queued, over the samples from `first` on. sum_errors adds up the errors of what arrived from
// below.
extern "C" __global__ void __launch_bounds__(MAX_RECURRENT) lif_queued_backward(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first, Layer below) {
    // The warps' sums, of one spike and the next in turn.
    __shared__ float sums[2][MAX_RECURRENT / WARP];
    walk_queued_back<CommonArrivals>(below, layer, control, above_errors, above_width, above_tiles,
                                     every_spike, first, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_RECURRENT) lif_queued_backward_delayed(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first, Layer below) {
    __shared__ float sums[2][MAX_RECURRENT / WARP];
    walk_queued_back<OwnArrivals>(below, layer, control, above_errors, above_width, above_tiles,
                                  every_spike, first, sums);
}
