// Leaky integrate-and-fire neurons through all arrivals of a sample.
#include "crossing.cuh"
#include "walk.cuh"

// A multiprocessor must hold so many blocks of so many threads: what waits for memory must be covered by others.
#define WALK_THREADS (WALKERS * WARP)
#define WALK_BLOCKS 6

// A neuron at the start of an interval, and its spikes so far.
struct Neuron {
    float u, current, threshold, reset;
    int spikes;
};

struct After {
    float u;
    int spikes;
};

// Finds the spikes of one neuron in one interval, and its voltage at the end, which without any would be `u_end`.
template <class Arrivals>
__device__ __forceinline__ After spikes_in(Layer const& layer, int sample, int neuron, int record, float start, float end,
                                        Neuron at, float u_end, Interval step) {
    Decay const& decay = Arrivals::decay_of(layer, neuron);
    float u = at.u, current = at.current, threshold = at.threshold;
    Rest rest = {step, end - start};
    Interval before = {1.0f, 1.0f, 0.0f};
    float sum = 0.0f;
    while (at.spikes <= MAX_SPIKES) {
        float current_end = current * rest.step.syn;
        if (!is_candidate(threshold, current, u_end, current_end)) break;
        if (u_end <= threshold && !peak_is_above(decay, u, current, threshold)) break;
        float to_crossing = crossing(decay, u, current, threshold, rest);
        Interval to = interval_to(decay, to_crossing);
        rest = rest_after(decay, rest, to, to_crossing);
        before = then(before, to);
        sum += to_crossing;
        current *= to.syn;
        u = at.reset;
        if (at.spikes < layer.slots) {
            float time = fminf(start + elapsed(decay, before, sum), end);
            size_t slot = ((size_t)sample * layer.slots + at.spikes) * layer.stride + neuron;
            layer.spike_times[slot] = time;
            layer.spike_slopes[slot] = current - threshold;
            layer.spike_mems[slot] = before.mem;
            layer.spike_drives[slot] = before.drive;
            layer.spike_intervals[slot] = record;
        }
        at.spikes++;
        u_end = fmaf(u, rest.step.mem, current * rest.step.drive);
    }
    return {u_end, at.spikes};
}

// Notes how often a neuron spiked, and whether it ran away or room was lacking.
__device__ __forceinline__ void tell_spikes(Layer const& layer, Control* control, int sample, int neuron, int spikes) {
    layer.spike_counts[(size_t)sample * layer.stride + neuron] = min(spikes, layer.slots);
    if (spikes > MAX_SPIKES) {
        unsigned long long place = (unsigned long long)layer.layer << 32 | (unsigned)sample;
        atomicMin(&control->faults.runaway, place);
    } else if (spikes > layer.slots) {
        atomicMax(&layer.needed[0], spikes);
        atomicMax(&control->faults.capacity, 1);
    }
}

template <class Arrivals>
__device__ __forceinline__ void walk_lif(Layer const& layer, Control* control, Rings& rings) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    float bias = layer.bias[neuron];
    Neuron at = {-bias, 0.0f, layer.threshold[neuron] - bias, layer.reset - bias, 0};
    auto still = [&](int, float weight) { at.current += weight; };
    // In an interval of no length nothing crosses: arrivals of one moment take effect together.
    auto visit = [&](int r, Record const& record, float weight) {
        at.current += weight;
        float u_end = fmaf(at.u, record.mem, at.current * record.drive);
        float current_end = at.current * record.syn;
        if (is_candidate(at.threshold, at.current, u_end, current_end)) {
            Interval step = {record.mem, record.syn, record.drive};
            After after = spikes_in<Arrivals>(layer, sample, neuron, r, arrivals.start(r), arrivals.start(r + 1), at,
                                              u_end, step);
            u_end = after.u;
            at.spikes = after.spikes;
        }
        at.u = u_end;
        at.current = current_end;
    };
    Walk<Arrivals>(layer, arrivals, neuron, rings).forward(visit, still);
    tell_spikes(layer, control, sample, neuron, at.spikes);
}

// Grid: x samples (threads y: several in a block), y tiles of neurons. The layer's description is read where the launch
// put it, never copied.
extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_forward(
    __grid_constant__ Layer const layer, Control* control) {
    __shared__ Rings rings;
    walk_lif<CommonArrivals>(layer, control, rings);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_forward_delayed(
    __grid_constant__ Layer const layer, Control* control) {
    __shared__ Rings rings;
    walk_lif<OwnArrivals>(layer, control, rings);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_forward_heterogeneous(
    __grid_constant__ Layer const layer, Control* control) {
    __shared__ Rings rings;
    walk_lif<Heterogeneous<CommonArrivals>>(layer, control, rings);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_forward_delayed_heterogeneous(
    __grid_constant__ Layer const layer, Control* control) {
    __shared__ Rings rings;
    walk_lif<Heterogeneous<OwnArrivals>>(layer, control, rings);
}
