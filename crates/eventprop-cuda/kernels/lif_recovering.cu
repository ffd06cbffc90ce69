// Leaky integrate-and-fire neurons that need time to recover from a spike (recovery.cuh), through all arrivals of a
// sample: the walk of lif_forward, with more to remember. It shares what stands there besides.
#include "recovery.cuh"
#include "walk.cuh"

// What a neuron remembers between its spikes. It lies in shared memory: seldom needed, it shall take no registers.
template <class Threshold>
struct Recovering {
    float held;  // ms for which it stays at its reset, or FREE
    int spikes;
    Threshold threshold;
    Adaptation by;
};

struct Recovered {
    float u;
    bool held;
};

// Takes one neuron through one interval in which it is held or may spike, to its voltage at the end. It is so much that
// a walk has registers for one copy of it only.
template <class Arrivals, class Threshold>
__device__ __forceinline__ Recovered recover_in(Layer const& layer, Recovery const& recovery, int sample, int neuron,
                                                int record, float u, float current, Recovering<Threshold>& own) {
    Decay decay = Arrivals::decay_of(layer, neuron);
    decay.integer_ratio = 0;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    float reset = layer.reset - layer.bias[neuron];
    float start = arrivals.start(record), end = arrivals.start(record + 1), dt = end - start;
    float gone = 0.0f;  // ms of the interval
    float held = own.held;
    int spikes = own.spikes;
    Ahead at = Ahead::of(decay, u, current, dt);
    for (;;) {
        size_t slot = ((size_t)sample * layer.slots + spikes) * layer.stride + neuron;
        if (held >= 0.0f) {
            if (held >= at.left) {
                held -= at.left;
                at.u_end = reset;
                break;
            }
            gone += held;
            at = Ahead::of(decay, reset, at.current * expf(-held / decay.tau_syn), dt - gone);
            held = FREE;
            if (spikes <= layer.slots) {
                Interval before = interval_of(decay, gone);
                size_t last = slot - layer.stride;
                recovery.rises[last] = at.current - reset;
                recovery.mems[last] = before.mem;
                recovery.drives[last] = before.drive;
                recovery.intervals[last] = record;
            }
        }
        if (spikes > MAX_SPIKES) break;
        float time = own.threshold.time_to(decay, own.by, at, start + gone);
        if (time == NO_SPIKE) break;
        gone += time;
        at.current *= expf(-time / decay.tau_syn);
        at.left = fmaxf(dt - gone, 0.0f);
        float now = fminf(start + gone, end);
        if (spikes < layer.slots) {
            Interval before = interval_of(decay, gone);
            layer.spike_times[slot] = now;
            layer.spike_slopes[slot] = own.threshold.slope(decay, own.by, at.current, now);
            layer.spike_mems[slot] = before.mem;
            layer.spike_drives[slot] = before.drive;
            layer.spike_intervals[slot] = record;
        }
        own.threshold.raise(own.by, now);
        held = recovery.refractory;
        spikes++;
    }
    own.held = held;
    own.spikes = spikes;
    return {at.u_end, held >= 0.0f};
}

template <class Arrivals, class Threshold>
__device__ __forceinline__ void walk_recovering(Layer const& layer, Recovery const& recovery, Control* control,
                                                Rings& rings, Recovering<Threshold>* remembered) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    float bias = layer.bias[neuron], threshold = layer.threshold[neuron] - bias;
    Recovering<Threshold>& own = remembered[threadIdx.y * blockDim.x + threadIdx.x];
    own = {FREE, 0, Threshold::of(threshold), Adaptation::of(recovery)};
    float u = -bias, current = 0.0f;
    bool held = false;
    auto still = [&](int, float weight) { current += weight; };
    auto visit = [&](int r, Record const& record, float weight) {
        current += weight;
        float u_end = fmaf(u, record.mem, current * record.drive);
        float current_end = current * record.syn;
        bool matters = held || Threshold::may_be_reached(threshold, u, current, u_end, current_end);
        // Where there is no record there is no time either.
        if (matters && !is_empty(record)) {
            Recovered after = recover_in<Arrivals, Threshold>(layer, recovery, sample, neuron, r, u, current, own);
            u_end = after.u;
            held = after.held;
        }
        u = u_end;
        current = current_end;
    };
    Walk<Arrivals>(layer, arrivals, neuron, rings).template forward<false>(visit, still);
    tell_spikes(layer, control, sample, neuron, own.spikes);
}

// Grid: as lif_forward.
extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_refractory(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<StayingThreshold> remembered[WALK_THREADS];
    walk_recovering<CommonArrivals>(layer, recovery, control, rings, remembered);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_refractory_delayed(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<StayingThreshold> remembered[WALK_THREADS];
    walk_recovering<OwnArrivals>(layer, recovery, control, rings, remembered);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_adaptive(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<AdaptiveThreshold> remembered[WALK_THREADS];
    walk_recovering<CommonArrivals>(layer, recovery, control, rings, remembered);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_adaptive_delayed(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<AdaptiveThreshold> remembered[WALK_THREADS];
    walk_recovering<OwnArrivals>(layer, recovery, control, rings, remembered);
}

// Where each neuron has time constants of its own.
extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_refractory_heterogeneous(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<StayingThreshold> remembered[WALK_THREADS];
    walk_recovering<Heterogeneous<CommonArrivals>>(layer, recovery, control, rings, remembered);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_refractory_delayed_heterogeneous(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<StayingThreshold> remembered[WALK_THREADS];
    walk_recovering<Heterogeneous<OwnArrivals>>(layer, recovery, control, rings, remembered);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_adaptive_heterogeneous(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<AdaptiveThreshold> remembered[WALK_THREADS];
    walk_recovering<Heterogeneous<CommonArrivals>>(layer, recovery, control, rings, remembered);
}

extern "C" __global__ void __launch_bounds__(WALK_THREADS, WALK_BLOCKS) lif_adaptive_delayed_heterogeneous(
    __grid_constant__ Layer const layer, Control* control, __grid_constant__ Recovery const recovery) {
    __shared__ Rings rings;
    __shared__ Recovering<AdaptiveThreshold> remembered[WALK_THREADS];
    walk_recovering<Heterogeneous<OwnArrivals>>(layer, recovery, control, rings, remembered);
}
