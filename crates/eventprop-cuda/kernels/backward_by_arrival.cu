// The adjoint where there are too few neurons to fill the device with a thread each: a lane an arrival. Between its jumps
// a neuron's adjoint only decays, so at each arrival it follows from the jump that comes next, without those on the way.
// It shares what stands in lif_backward.cu besides.
#include "prefix.cuh"
#include "trace.cuh"

// Neurons whose adjoint is written at once.
#define ADJOINTS 4

// What becomes of it dt ms earlier.
__device__ __forceinline__ Mu decayed(Decay const& decay, Mu const& mu, float dt) {
    Interval step = interval_of(decay, dt);
    return {mu.mu_voltage * step.mem, fmaf(mu.mu_current, step.syn, mu.mu_voltage * step.drive * decay.ratio)};
}

// Leaves the adjoint of a block's tile of neurons at every arrival, and their errors if the layer below wants them: see
// Trace. neurons.at(n, r, start) is that of lane n's neuron at arrival r, neurons.more(n, r) the part of the loss's
// derivative by the arrival's time that does not come from it.
template <bool errors, class Neurons>
__device__ __forceinline__ void leave_all(Layer const& layer, Lane const& lane, Neurons const& neurons) {
    CommonArrivals arrivals = CommonArrivals::of(layer, lane.sample, lane.neuron);
    float per_syn = 1.0f / layer.decay.tau_syn;
    int first = lane.tile * WARP, threads = blockDim.x * blockDim.y;
    for (int r = 1 + threadIdx.y * WARP + threadIdx.x; r <= arrivals.count; r += threads) {
        float start = arrivals.start(r);
        int source = errors ? arrivals.source(r) : 0;
        size_t row = ((size_t)(lane.sample % layer.chunk) * layer.width + r - 1) * layer.stride + first;
        float error = 0.0f;
#pragma unroll 1
        for (int n = 0; n < WARP; n += ADJOINTS) {
            Several<ADJOINTS> found, weights;
            if (errors) weights = weights_of<ADJOINTS>(layer, source, first + n);
#pragma unroll
            for (int i = 0; i < ADJOINTS; i++) {
                Mu mu = neurons.at(n + i, r, start);
                found.of[i] = mu.mu_current;
                if (errors) error += fmaf(weights.of[i] * (mu.mu_current - mu.mu_voltage), per_syn, neurons.more(n + i, r));
            }
            *(Several<ADJOINTS>*)(layer.mu + row + n) = found;
        }
        if (errors) layer.errors[((size_t)lane.sample * layer.width + r - 1) * layer.tiles + lane.tile] = error;
    }
}

template <class Neurons>
__device__ __forceinline__ void leave_all(Layer const& layer, Lane const& lane, Neurons const& neurons) {
    if (layer.wants_errors) leave_all<true>(layer, lane, neurons);
    else leave_all<false>(layer, lane, neurons);
}

// Where a block is: a tile of neurons of a sample, of which each warp knows all.
__device__ __forceinline__ Lane block_lane(Layer const& layer, int first) {
    int sample = first + blockIdx.x, tile = blockIdx.y;
    int neuron = tile * WARP + threadIdx.x;
    return {sample, neuron, tile, neuron < layer.targets};
}

// Neurons that spike. What stands in place of the decays to their spikes is mu just before each.
struct Spiking {
    Layer const& layer;
    size_t slots;       // of the tile's first neuron
    int const* counts;  // of its neurons

    __device__ __forceinline__ Mu at(int n, int r, float start) const {
        int count = counts[n];
        if (count == 0) return {0.0f, 0.0f};
        // The first spike that comes after the arrival.
        int low = 0, high = count;
        while (low < high) {
            int middle = (low + high) / 2;
            if (layer.spike_intervals[place(n, middle)] < r) low = middle + 1;
            else high = middle;
        }
        if (low == count) return {0.0f, 0.0f};
        size_t slot = place(n, low);
        Mu mu = {layer.spike_mems[slot], layer.spike_drives[slot]};
        return decayed(layer.decay, mu, layer.spike_times[slot] - start);
    }
    __device__ __forceinline__ float more(int, int) const { return 0.0f; }
    __device__ __forceinline__ size_t place(int n, int k) const { return slots + (size_t)k * layer.stride + n; }
};

// Grid: x samples from `first` on, y tiles; threads (WARP, warps that share out the arrivals).
extern "C" __global__ void lif_backward_by_arrival(
    __grid_constant__ Layer const layer, Control* control, float const* above_errors, int above_width, int above_tiles,
    int every_spike, int first) {
    __shared__ int counts[WARP];
    // Where room lacked, spikes have no place among the arrivals of the layer above.
    if (is_faulty(control)) return;
    Lane lane = block_lane(layer, first);
    size_t slots = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    if (threadIdx.y == 0) {
        int spikes = lane.exists ? layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron] : 0;
        counts[threadIdx.x] = spikes;
        Mu mu = {0.0f, 0.0f};
        float next_time = 0.0f;
        auto leave = [&](size_t slot, float time, float before, float) {
            mu.mu_current = decayed(layer.decay, mu, fmaxf(next_time - time, 0.0f)).mu_current;
            mu.mu_voltage = -layer.decay.tau_syn * before;
            next_time = time;
            layer.spike_mems[slot] = mu.mu_voltage;
            layer.spike_drives[slot] = mu.mu_current;
        };
        jump_back(layer, layer.decay, control, lane, spikes, slots, above_errors, above_width, above_tiles, every_spike,
                  leave);
    }
    __syncthreads();
    leave_all(layer, lane, Spiking{layer, slots - threadIdx.x, counts});
}

// Integrators by whose maximum the loss has a derivative: there mu_V jumps.
struct Peaking {
    Decay const& decay;
    float const *times, *jumps, *moved;
    int const *intervals, *movers;

    __device__ __forceinline__ Mu at(int n, int r, float start) const {
        if (r > intervals[n]) return {0.0f, 0.0f};
        return decayed(decay, {jumps[n], 0.0f}, times[n] - start);
    }
    __device__ __forceinline__ float more(int n, int r) const { return r == movers[n] ? moved[n] : 0.0f; }
};

// Grid: as lif_backward_by_arrival.
extern "C" __global__ void li_maximum_backward_by_arrival(__grid_constant__ Layer const layer, int first) {
    __shared__ float times[WARP], jumps[WARP], moved[WARP];
    __shared__ int intervals[WARP], movers[WARP];
    Lane lane = block_lane(layer, first);
    CommonArrivals arrivals = CommonArrivals::of(layer, lane.sample, lane.neuron);
    if (threadIdx.y == 0) {
        Peak peak = peak_of(layer, lane, layer.decay, arrivals);
        float start = peak.interval < 0 ? 0.0f : arrivals.start(peak.interval);
        float end = arrivals.start(peak.interval + 1);
        times[threadIdx.x] = peak.inside < 0.0f ? end : start + peak.inside;
        jumps[threadIdx.x] = peak.jump;
        moved[threadIdx.x] = peak.moved;
        intervals[threadIdx.x] = peak.interval;
        movers[threadIdx.x] = peak.mover;
    }
    __syncthreads();
    leave_all(layer, lane, Peaking{layer.decay, times, jumps, moved, intervals, movers});
}

// Integrators by whose mean it has one: see walk_mean_back in li_backward.cu.
struct Averaged {
    Layer const& layer;
    CommonArrivals const& arrivals;
    Mu const* drives;

    __device__ __forceinline__ Mu at(int n, int r, float start) const {
        Mu drive = drives[n];
        float factor = arrivals.factor(r), last = arrivals.factor(arrivals.count + 1);
        Mu mu = decayed(layer.decay, {-drive.mu_voltage * last, -drive.mu_current * last}, layer.duration - start);
        return {fmaf(drive.mu_voltage, factor, mu.mu_voltage), fmaf(drive.mu_current, factor, mu.mu_current)};
    }
    __device__ __forceinline__ float more(int, int) const { return 0.0f; }
};

// Grid: as lif_backward_by_arrival.
extern "C" __global__ void li_mean_backward_by_arrival(__grid_constant__ Layer const layer, int first) {
    __shared__ Mu drives[WARP];
    Lane lane = block_lane(layer, first);
    CommonArrivals arrivals = CommonArrivals::of(layer, lane.sample, lane.neuron);
    if (threadIdx.y == 0) drives[threadIdx.x] = drive_of_mean(layer, lane, layer.decay);
    __syncthreads();
    leave_all(layer, lane, Averaged{layer, arrivals, drives});
}
