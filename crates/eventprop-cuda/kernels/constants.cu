// The loss's derivatives by the constants of neurons.
//
// A neuron's adjoint is the sum of what its spikes, or its maximum, send back: at each lambda_V jumps, and what jumped
// goes back undisturbed. So the derivative by a constant is the sum of those jumps, each times -tau_mem and the voltage's
// derivative by the constant where it jumped, which is known going forwards, beside the voltage itself.
#include "sensitivity.cuh"
#include "trace.cuh"

// Warps that share the samples of a sum.
#define ADDERS 16

// A neuron, and how it depends on its time constants. A reset of the voltage leaves its derivatives alone.
struct Dependent {
    float u, current;
    float by_mem, by_syn, current_by_syn;

    __device__ __forceinline__ void advance(Decay const& decay, float dt) {
        Interval step = interval_of(decay, dt);
        Sensitivity by = sensitivity_of(decay, dt, step);
        by_mem = fmaf(by_mem, step.mem, fmaf(u, by.mem_by_mem, current * by.drive_by_mem));
        by_syn = fmaf(by_syn, step.mem, fmaf(current_by_syn, step.drive, current * by.drive_by_syn));
        current_by_syn = fmaf(current_by_syn, step.syn, current * by.syn_by_syn);
        u = fmaf(u, step.mem, current * step.drive);
        current *= step.syn;
    }
};

// The voltage's derivative by the bias current, which no spike undoes either.
__device__ __forceinline__ float voltage_by_bias(Decay const& decay, float time) {
    return -expm1f(-time / decay.tau_mem);
}

// What a neuron leaves of a sample: sum_constants adds up.
__device__ __forceinline__ void leave(float* parts, Layer const& layer, int sample, int neuron, int constant,
                                      float value) {
    parts[((size_t)constant * layer.samples + sample) * layer.stride + neuron] = value;
}

// Derivatives by threshold and bias of a neuron that spikes. The jumps of lambda_V, as in lif_backward.cu, take the
// place of the spikes' slopes.
__device__ __forceinline__ void jump_again(Layer const& layer, Decay const& decay, Lane const& lane, int spikes,
                                           size_t slots, float const* above_errors, int above_width, int above_tiles,
                                           int every_spike, float* parts) {
    Jumps jumps = jumps_among(layer, lane, spikes);
    float next = 0.0f, next_time = 0.0f, by_threshold = 0.0f, by_bias = 0.0f;
    for (int k = spikes - 1; k >= 0; k--) {
        size_t slot = slots + (size_t)k * layer.stride;
        float time = layer.spike_times[slot];
        float after = next == 0.0f ? 0.0f : next * expf((time - next_time) / decay.tau_mem);
        float error = spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
        float before = before_spike(jumps, layer.spike_slopes[slot], after, error);
        float jump = before - after;
        layer.spike_slopes[slot] = jump;
        // A rate regulariser pulls at the neuron, not at its threshold.
        by_threshold = fmaf(decay.tau_mem, before + jumps.pull, by_threshold);
        by_bias = fmaf(-decay.tau_mem * jump, voltage_by_bias(decay, time), by_bias);
        next = before;
        next_time = time;
    }
    leave(parts, layer, lane.sample, lane.neuron, THRESHOLD, by_threshold);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, by_bias);
}

template <class Arrivals>
__device__ __forceinline__ void walk_lif_constants(Layer const& layer, Control const* control,
                                                   float const* above_errors, int above_width, int above_tiles,
                                                   int every_spike, float* parts) {
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= layer.samples || lane.neuron >= layer.targets) return;
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    size_t slot = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    jump_again(layer, decay, lane, spikes, slot, above_errors, above_width, above_tiles, every_spike, parts);

    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Column column = Column::of(layer.weights, layer.stride, lane.neuron);
    float bias = layer.bias[lane.neuron];
    Dependent at = {-bias, 0.0f, 0.0f, 0.0f, 0.0f};
    float by_mem = 0.0f, by_syn = 0.0f;
    for (int r = 0, left = spikes; left > 0 && r <= arrivals.count; r++) {
        at.current += column[arrivals.source(r)];
        float now = arrivals.start(r), end = arrivals.start(r + 1);
        while (left > 0 && layer.spike_intervals[slot] == r) {
            float time = layer.spike_times[slot];
            at.advance(decay, time - now);
            float jump = -decay.tau_mem * layer.spike_slopes[slot];
            by_mem = fmaf(jump, at.by_mem, by_mem);
            by_syn = fmaf(jump, at.by_syn, by_syn);
            at.u = layer.reset - bias;
            now = time;
            left--;
            slot += layer.stride;
        }
        at.advance(decay, end - now);
    }
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, by_syn);
}

// Of an integrator whose maximum counts: what sends back is the maximum.
template <class Arrivals>
__device__ __forceinline__ void maximum_constants(Layer const& layer, Control const* control, float* parts) {
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= layer.samples || lane.neuron >= layer.targets) return;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    Column column = Column::of(layer.weights, layer.stride, lane.neuron);
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    int interval = layer.peak_intervals[place];
    Dependent at = {-layer.bias[lane.neuron], 0.0f, 0.0f, 0.0f, 0.0f};
    float time = 0.0f;
    for (int r = 0; r <= interval; r++) {
        at.current += column[arrivals.source(r)];
        time = arrivals.start(r);
        float inside = layer.peak_elapsed[place];
        float dt = r == interval && inside >= 0.0f ? inside : arrivals.start(r + 1) - time;
        at.advance(decay, dt);
        time += dt;
    }
    float derivative = layer.derivatives[place];
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, derivative * at.by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, derivative * at.by_syn);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, derivative * voltage_by_bias(decay, time));
}

// Of an integrator whose mean counts: the derivative of the integral of f V, f(t) = exp(-rate t). By parts, as in
// measure_mean: the derivatives y by tau_mem, z by tau_syn and b by the bias of V, and i by tau_syn of I obey
// tau_mem y' = -y - V', tau_mem z' = -z + i, tau_mem b' = -b + 1 and tau_syn i' = -i + I/tau_syn.
template <class Arrivals>
__device__ __forceinline__ void mean_constants(Layer const& layer, Control const* control, float* parts) {
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= layer.samples || lane.neuron >= layer.targets) return;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    Column column = Column::of(layer.weights, layer.stride, lane.neuron);
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    float bias = layer.bias[lane.neuron], rate = layer.rate, duration = layer.duration;
    Dependent at = {-bias, 0.0f, 0.0f, 0.0f, 0.0f};
    float arrived = 0.0f;
    for (int r = 0; r <= arrivals.count; r++) {
        float weight = column[arrivals.source(r)];
        arrived = fmaf(weight, arrivals.factor(r), arrived);
        at.current += weight;
        at.advance(decay, arrivals.start(r + 1) - arrivals.start(r));
    }
    float last = arrivals.factor(arrivals.count + 1);
    float of_mem = 1.0f / fmaf(decay.tau_mem, rate, 1.0f), of_syn = 1.0f / fmaf(decay.tau_syn, rate, 1.0f);
    float currents = (arrived - last * at.current) * decay.tau_syn * of_syn;
    float derived = (currents / decay.tau_syn - decay.tau_syn * last * at.current_by_syn) * of_syn;
    float by_syn = (derived - decay.tau_mem * last * at.by_syn) * of_mem;
    float change = fmaf(last, at.u + bias, rate * duration * layer.outputs[place]);
    float by_mem = (-change - decay.tau_mem * last * at.by_mem) * of_mem;
    float whole = rate == 0.0f ? duration : (1.0f - last) / rate;
    float by_bias = (whole - decay.tau_mem * last * voltage_by_bias(decay, duration)) * of_mem;
    float derivative = layer.derivatives[place] / duration;
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, derivative * by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, derivative * by_syn);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, derivative * by_bias);
}

// Grids: as lif_forward.
extern "C" __global__ void lif_constants(Layer layer, Control const* control, float const* above_errors,
                                         int above_width, int above_tiles, int every_spike, float* parts) {
    walk_lif_constants<Heterogeneous<CommonArrivals>>(layer, control, above_errors, above_width, above_tiles,
                                                      every_spike, parts);
}
extern "C" __global__ void lif_constants_delayed(Layer layer, Control const* control, float const* above_errors,
                                                 int above_width, int above_tiles, int every_spike, float* parts) {
    walk_lif_constants<Heterogeneous<OwnArrivals>>(layer, control, above_errors, above_width, above_tiles,
                                                   every_spike, parts);
}
extern "C" __global__ void li_maximum_constants(Layer layer, Control const* control, float* parts) {
    maximum_constants<Heterogeneous<CommonArrivals>>(layer, control, parts);
}
extern "C" __global__ void li_maximum_constants_delayed(Layer layer, Control const* control, float* parts) {
    maximum_constants<Heterogeneous<OwnArrivals>>(layer, control, parts);
}
extern "C" __global__ void li_mean_constants(Layer layer, Control const* control, float* parts) {
    mean_constants<Heterogeneous<CommonArrivals>>(layer, control, parts);
}
extern "C" __global__ void li_mean_constants_delayed(Layer layer, Control const* control, float* parts) {
    mean_constants<Heterogeneous<OwnArrivals>>(layer, control, parts);
}

// Adds up what the neurons left, over samples and, for a constant that all share, over neurons. One order of summation.
//
// Grid: x CONSTANTS, y tiles of neurons; threads (WARP, ADDERS).
extern "C" __global__ void sum_constants(Layer layer, Control const* control, Constants constants,
                                         float const* parts) {
    __shared__ float sums[ADDERS][WARP];
    if (is_faulty(control)) return;
    Constant const& constant = constants.of[blockIdx.x];
    if (constant.values == nullptr || (constant.is_common && blockIdx.y > 0)) return;
    int lane = threadIdx.x, share = threadIdx.y;
    int first = blockIdx.y * WARP + lane;
    int end = constant.is_common ? layer.targets : min(layer.targets, ((int)blockIdx.y + 1) * WARP);
    float sum = 0.0f;
    for (int neuron = first; neuron < end; neuron += WARP) {
        for (int sample = share; sample < layer.samples; sample += ADDERS) {
            sum += parts[((size_t)blockIdx.x * layer.samples + sample) * layer.stride + neuron];
        }
    }
    sums[share][lane] = sum;
    __syncthreads();
    if (share > 0) return;
    for (int other = 1; other < ADDERS; other++) sum += sums[other][lane];
    if (constant.is_common) sum = warp_sum(sum);
    if (constant.is_common ? lane == 0 : first < end) constant.gradient[first] = sum;
}

// Makes of the constants, where they are learned, what the walks are given: a value for each neuron, and of padding
// that it never spikes. Grid: a thread a neuron, padding included.
extern "C" __global__ void spread_constants(Constants constants, Decay* decays, float* threshold, float* bias,
                                            int targets, int stride) {
    int neuron = blockIdx.x * blockDim.x + threadIdx.x;
    if (neuron >= stride) return;
    bool exists = neuron < targets;
    auto value = [&](int which) {
        Constant const& constant = constants.of[which];
        return constant.values[constant.is_common || !exists ? 0 : neuron];
    };
    decays[neuron] = decay_with(value(TAU_MEM), value(TAU_SYN));
    bool spikes = exists && constants.of[THRESHOLD].values != nullptr;
    threshold[neuron] = spikes ? value(THRESHOLD) : __int_as_float(0x7f800000);
    bias[neuron] = exists ? value(BIAS) : 0.0f;
}
