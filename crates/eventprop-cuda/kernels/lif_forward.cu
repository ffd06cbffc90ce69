// Leaky integrate-and-fire neurons through all arrivals of a sample.
#include "crossing.cuh"
#include "walk.cuh"

// A multiprocessor must hold so many blocks of so many threads: what waits for memory must be covered by others.
#define WALK_THREADS (WALKERS * WARP)
#define WALK_BLOCKS 8

// Finds the spikes of one neuron in one interval and returns its voltage at the end.
template <class Arrivals>
__device__ __forceinline__ float spikes_in(Layer const& layer, Arrivals const& arrivals, int sample,
                                           int neuron, int record, float u, float current, float u_end,
                                           float threshold, float reset, Interval step, int& spikes) {
    Decay const& decay = layer.decay;
    float start = arrivals.start(record), end = arrivals.start(record + 1);
    Rest rest = {step, end - start};
    Interval before = {1.0f, 1.0f, 0.0f};
    float sum = 0.0f;
    while (spikes <= MAX_SPIKES) {
        float current_end = current * rest.step.syn;
        if (!is_candidate(threshold, current, u_end, current_end)) break;
        if (u_end <= threshold && !peak_is_above(decay, u, current, threshold)) break;
        float at = crossing(decay, u, current, threshold, rest);
        Interval to = interval_to(decay, at);
        rest = rest_after(decay, rest, to, at);
        before = then(before, to);
        sum += at;
        current *= to.syn;
        u = reset;
        if (spikes < layer.slots) {
            float time = fminf(start + elapsed(decay, before, sum), end);
            size_t slot = ((size_t)sample * layer.slots + spikes) * layer.stride + neuron;
            layer.spike_times[slot] = time;
            layer.spike_slopes[slot] = current - threshold;
            layer.spike_mems[slot] = before.mem;
            layer.spike_drives[slot] = before.drive;
            layer.spike_intervals[slot] = record;
        }
        spikes++;
        u_end = fmaf(u, rest.step.mem, current * rest.step.drive);
    }
    return u_end;
}

template <class Arrivals>
__device__ __forceinline__ void walk_lif(Layer const& layer, Control* control, Rings& rings) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    float bias = layer.bias[neuron];
    float threshold = layer.threshold[neuron] - bias;
    float reset = layer.reset - bias;
    float u = -bias, current = 0.0f;
    int spikes = 0;
    Ahead<Arrivals> ahead(layer, arrivals, neuron, rings);
    for (int r = 0; r <= arrivals.count; r++) {
        Record record = ahead.record;
        current += ahead.weight;
        ahead.step(r);
        if (is_empty(record)) continue;
        float u_end = fmaf(u, record.mem, current * record.drive);
        float current_end = current * record.syn;
        if (is_candidate(threshold, current, u_end, current_end)) {
            u_end = spikes_in(layer, arrivals, sample, neuron, r, u, current, u_end, threshold,
                              reset, {record.mem, record.syn, record.drive}, spikes);
        }
        u = u_end;
        current = current_end;
    }
    layer.spike_counts[(size_t)sample * layer.stride + neuron] = min(spikes, layer.slots);
    if (spikes > MAX_SPIKES) {
        unsigned long long place = (unsigned long long)layer.layer << 32 | (unsigned)sample;
        atomicMin(&control->faults.runaway, place);
    } else if (spikes > layer.slots) {
        atomicMax(&layer.needed[0], spikes);
        atomicMax(&control->faults.capacity, 1);
    }
}

// Grid: x samples (threads y: several in a block), y tiles of neurons.
extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_forward(Layer layer, Control* control) {
    __shared__ Rings rings;
    walk_lif<CommonArrivals>(layer, control, rings);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_forward_delayed(Layer layer, Control* control) {
    __shared__ Rings rings;
    walk_lif<OwnArrivals>(layer, control, rings);
}
