// Neurons through all arrivals of a sample where there are too few to fill the device with a thread each: a warp a
// neuron, or several, and a lane an arrival.
#include "prefix.cuh"
#include "spikes.cuh"
#include "warp.cuh"

// Neurons of a warp that integrates.
#define TOGETHER 4

// The number of a warp's first neuron, of those that share out a sample's.
__device__ __forceinline__ int first_neuron(int together) {
    return (blockIdx.y * blockDim.y + threadIdx.y) * together;
}

// What a kernel of a thread a neuron leaves of those that only fill a row up to a whole warp.
template <class Value>
__device__ __forceinline__ void fill_row(Layer const& layer, Value* values, int sample, int neuron) {
    int filled = layer.targets + threadIdx.x;
    if (neuron == 0 && filled < layer.stride) values[(size_t)sample * layer.stride + filled] = 0;
}

// Grid: x samples, y shares of their neurons; threads (WARP, neurons of a share).
extern "C" __global__ void __launch_bounds__(ARRIVAL_THREADS) lif_forward_by_arrival(__grid_constant__ Layer const layer,
                                                                         Control* control) {
    int sample = blockIdx.x, neuron = first_neuron(1), lane = threadIdx.x;
    if (neuron >= layer.targets) return;
    CommonArrivals arrivals = CommonArrivals::of(layer, sample, neuron);
    float bias = layer.bias[neuron];
    float threshold = layer.threshold[neuron] - bias, reset = layer.reset - bias;
    States<1> at = {{-bias}, {0.0f}};
    int spikes = 0;
    auto visit = [&](int r, Record const& record, Several<1> const& weights) {
        // Arrivals of one moment take effect together.
        bool lasts = !is_empty(record);
        if (__ballot_sync(FULL_WARP, lasts) == 0) {
            at.current[0] += warp_sum(weights.of[0]);
            return;
        }
        Passage<1> way = pass(at, record, weights);
        float u = way.u[0], current = way.current[0], current_end = way.current_end[0];
        float& u_end = way.u_end[0];
        // A spike takes the voltage down, and nothing else: those after it hear of it in the order of lanes.
        for (int from = 0;;) {
            bool crosses = lasts && lane >= from && is_candidate(threshold, current, u_end, current_end) &&
                           (u_end > threshold || peak_is_above(layer.decay, u, current, threshold));
            unsigned crossing = __ballot_sync(FULL_WARP, crosses);
            if (crossing == 0) break;
            int first = __ffs((int)crossing) - 1;
            float end = arrivals.start(min(r, arrivals.count) + 1);
            After after = {u_end, spikes};
            if (lane == first) {
                Neuron neuron_at = {u, current, threshold, reset, spikes};
                Interval step = {record.mem, record.syn, record.drive};
                after = spikes_in<CommonArrivals>(layer, sample, neuron, r, arrivals.start(r), end, neuron_at, u_end, step);
            }
            float fall = __shfl_sync(FULL_WARP, after.u - u_end, first);
            float fallen = __shfl_sync(FULL_WARP, end, first);
            spikes = __shfl_sync(FULL_WARP, after.spikes, first);
            if (lane == first) u_end = after.u;
            else if (lane > first) u_end = fmaf(fall, expf((fallen - end) / layer.decay.tau_mem), u_end);
            float before = __shfl_up_sync(FULL_WARP, u_end, 1);
            if (lane > first) u = before;
            from = first + 1;
        }
        at = way.last();
    };
    in_windows<1>(layer, arrivals, neuron, visit);
    if (lane == 0) tell_spikes(layer, control, sample, neuron, spikes);
    fill_row(layer, layer.spike_counts, sample, neuron);
}

// Follows each voltage to its maximum, at least 0. Grid: as lif_forward_by_arrival, of TOGETHER neurons each.
extern "C" __global__ void __launch_bounds__(ARRIVAL_THREADS) li_maximum_by_arrival(__grid_constant__ Layer const layer) {
    int sample = blockIdx.x, neuron = first_neuron(TOGETHER), lane = threadIdx.x;
    if (neuron >= layer.targets) return;
    CommonArrivals arrivals = CommonArrivals::of(layer, sample, neuron);
    States<TOGETHER> at;
    // The lane's own.
    float peak[TOGETHER], peak_elapsed[TOGETHER], peak_current[TOGETHER];
    int peak_interval[TOGETHER];
    for (int i = 0; i < TOGETHER; i++) {
        peak[i] = at.u[i] = -layer.bias[neuron + i];
        at.current[i] = peak_current[i] = 0.0f;
        peak_elapsed[i] = -1.0f;
        peak_interval[i] = -1;
    }
    auto visit = [&](int r, Record const& record, Several<TOGETHER> const& weights) {
        Passage<TOGETHER> way = pass(at, record, weights);
        // Between arrivals of one moment states differ by rounding, which is no maximum.
        bool lasts = !is_empty(record);
#pragma unroll
        for (int i = 0; lasts && i < TOGETHER; i++) {
            float u = way.u[i], current = way.current[i];
            // It rises at the start, falls at the end, and the current bounds what lies between.
            if (current > u && way.u_end[i] > way.current_end[i] && current > peak[i]) {
                float s = time_of_extremum(layer.decay, u, current);
                float height = current * expf(-s / layer.decay.tau_syn);
                if (height > peak[i]) {
                    peak[i] = height;
                    peak_interval[i] = r;
                    peak_elapsed[i] = s;
                }
            }
            if (way.u_end[i] > peak[i]) {
                peak[i] = way.u_end[i];
                peak_interval[i] = r;
                peak_elapsed[i] = -1.0f;
                peak_current[i] = way.current_end[i];
            }
        }
        at = way.last();
    };
    in_windows<TOGETHER>(layer, arrivals, neuron, visit);
#pragma unroll
    for (int i = 0; i < TOGETHER; i++) {
        float highest = warp_max(peak[i]);
        // Of equals the first.
        int earliest = -warp_max(peak[i] == highest ? -peak_interval[i] : -arrivals.count - 1);
        unsigned has_it = __ballot_sync(FULL_WARP, peak[i] == highest && peak_interval[i] == earliest);
        // Nobody has what is no number.
        if (has_it == 0) earliest = -1;
        if (lane != max(__ffs((int)has_it) - 1, 0)) continue;
        size_t place = (size_t)sample * layer.stride + neuron + i;
        layer.outputs[place] = highest + layer.bias[neuron + i];
        layer.peaks[place] = highest;
        layer.peak_intervals[place] = earliest;
        layer.peak_elapsed[place] = peak_elapsed[i];
        layer.peak_currents[place] = peak_current[i];
    }
}

// The mean of each voltage, as measure_mean of li_forward.cu. Grid: as li_maximum_by_arrival.
extern "C" __global__ void __launch_bounds__(ARRIVAL_THREADS) li_mean_by_arrival(__grid_constant__ Layer const layer) {
    int sample = blockIdx.x, neuron = first_neuron(TOGETHER), lane = threadIdx.x;
    if (neuron >= layer.targets) return;
    CommonArrivals arrivals = CommonArrivals::of(layer, sample, neuron);
    Decay const& decay = layer.decay;
    // What arrived has become at the end.
    float u[TOGETHER] = {}, current[TOGETHER] = {}, arrived[TOGETHER] = {};
    for (int r = 1 + lane; r <= arrivals.count; r += WARP) {
        Several<TOGETHER> weights = weights_of<TOGETHER>(layer, arrivals.source(r), neuron);
        Interval left = interval_of(decay, layer.duration - arrivals.start(r));
        float factor = arrivals.factor(r);
        for (int i = 0; i < TOGETHER; i++) {
            u[i] = fmaf(weights.of[i], left.drive, u[i]);
            current[i] = fmaf(weights.of[i], left.syn, current[i]);
            arrived[i] = fmaf(weights.of[i], factor, arrived[i]);
        }
    }
    float last = arrivals.factor(arrivals.count + 1);
    float decayed = expf(-layer.duration / decay.tau_mem);
#pragma unroll
    for (int i = 0; i < TOGETHER; i++) {
        float bias = layer.bias[neuron + i];
        float u_end = fmaf(-bias, decayed, warp_sum(u[i]));
        float mean = mean_voltage(layer, decay, bias, u_end, warp_sum(current[i]), warp_sum(arrived[i]), last);
        if (lane == 0) layer.outputs[(size_t)sample * layer.stride + neuron + i] = mean;
    }
}
