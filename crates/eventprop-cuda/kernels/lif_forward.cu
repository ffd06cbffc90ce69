// Leaky integrate-and-fire neurons through all arrivals of a sample.
#include "spikes.cuh"
#include "walk.cuh"

// A multiprocessor must hold so many blocks of so many threads: what waits for memory must be covered by others.
#define WALK_THREADS (WALKERS * WARP)
#define WALK_BLOCKS 6

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
