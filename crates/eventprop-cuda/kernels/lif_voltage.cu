// Leaky integrate-and-fire neurons of an output layer of which the loss looks at the voltages: these are measured once
// spikes are known, and the adjoint is that of leaky integrators and of neurons that spike in one.
#include "trace.cuh"

// Where li_maximum followed voltages to their maximum as if nothing spiked: that of a neuron that does is its threshold.
//
// Grid: as lif_forward.
extern "C" __global__ void lif_maximum(Layer layer) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.targets) return;
    size_t place = (size_t)sample * layer.stride + neuron;
    if (layer.spike_counts[place] > 0) layer.outputs[place] = layer.threshold[neuron];
}

// As measure_mean of li_forward.cu: by parts, each spike adds its jump to what the voltage falls by. What arrives and what
// spikes take away are much larger than what is left of a neuron that spikes often, so they are added up in double
// precision.
template <class Arrivals>
__device__ __forceinline__ void measure_spiking_mean(Layer const& layer, Rings& rings) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    size_t place = (size_t)sample * layer.stride + neuron;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    // Of the spike met next.
    int left = layer.spike_counts[place];
    size_t slot = (size_t)sample * layer.slots * layer.stride + neuron;
    int interval = left > 0 ? layer.spike_intervals[slot] : -1;
    float bias = layer.bias[neuron], height = left > 0 ? layer.threshold[neuron] - layer.reset : 0.0f;
    float u = -bias, current = 0.0f;
    double arrived = 0.0, fallen = 0.0;
    auto still = [&](int r, float weight) {
        arrived += (double)weight * arrivals.factor(min(r, arrivals.count));
        current += weight;
    };
    auto visit = [&](int r, Record const& record, float weight) {
        still(r, weight);
        u = fmaf(u, record.mem, current * record.drive);
        current *= record.syn;
        while (interval == r) {
            u -= height * (record.mem / layer.spike_mems[slot]);
            fallen += expf(-layer.rate * layer.spike_times[slot]);
            left--;
            slot += layer.stride;
            interval = left > 0 ? layer.spike_intervals[slot] : -1;
        }
    };
    Walk<Arrivals>(layer, arrivals, neuron, rings).forward(visit, still);
    Decay const& decay = Arrivals::decay_of(layer, neuron);
    float last = arrivals.factor(arrivals.count + 1);
    double currents = (arrived - last * current) * decay.tau_syn / (1.0 + (double)decay.tau_syn * layer.rate);
    double falls = fallen * height + fmaf(last, u, bias);
    double voltages = (currents - decay.tau_mem * falls) / (1.0 + (double)decay.tau_mem * layer.rate);
    float weight = layer.rate == 0.0f ? 1.0f : (1.0f - last) / (layer.rate * layer.duration);
    layer.outputs[place] = fmaf(bias, weight, (float)(voltages / layer.duration));
}

// Seldom wanted: neurons compute their decays themselves, whether they have them in common or not.
typedef Heterogeneous<CommonArrivals> Undelayed;
typedef Heterogeneous<OwnArrivals> Delayed;

// Grids: as lif_forward.
extern "C" __global__ void lif_mean(Layer layer) {
    __shared__ Rings rings;
    measure_spiking_mean<Undelayed>(layer, rings);
}
extern "C" __global__ void lif_mean_delayed(Layer layer) {
    __shared__ Rings rings;
    measure_spiking_mean<Delayed>(layer, rings);
}

// What the loss does to a neuron's adjoint, on a mean of the voltage: lambda_V is level exp(-rate t) and something that
// only decays between spikes (see li_backward.cu).
struct Drive {
    float level;   // of lambda_V
    float direct;  // the loss's derivative by the voltage at time 0

    static __device__ __forceinline__ Drive of(Layer const& layer, Decay const& decay, float derivative) {
        float direct = derivative / layer.duration;
        return {-direct / fmaf(decay.tau_mem, layer.rate, 1.0f), direct};
    }
};

// As jump_back of lif_backward.cu, of a neuron by whose mean or highest voltage the loss has the derivative `derivative`.
// A mean falls by the jump later if the spike comes later. A highest voltage is the threshold at the first spike: what moves
// it there moves the spike, and nothing is left but where the slope floor acts.
template <bool mean>
__device__ __forceinline__ void jump_driven_back(Layer const& layer, Decay const& decay, Control* control,
                                                 Lane const& lane, int spikes, size_t slots, float const* above_errors,
                                                 int above_width, int above_tiles, float derivative) {
    Jumps jumps = jumps_of(layer, lane, spikes);
    Drive drive = mean ? Drive::of(layer, decay, derivative) : Drive{0.0f, 0.0f};
    // What only decays, just before the neuron's next spike, or at the end, and when that is.
    float next = -drive.level * expf(-layer.rate * layer.duration), next_time = layer.duration;
    for (int k = spikes - 1; k >= 0; k--) {
        size_t slot = slots + (size_t)k * layer.stride;
        float time = layer.spike_times[slot], slope = layer.spike_slopes[slot];
        float weighting = mean ? expf(-layer.rate * time) : 0.0f;
        float driven = drive.level * weighting;
        float after = fmaf(next, expf((time - next_time) / decay.tau_mem), driven);
        float error = above_tiles == 0 ? 0.0f : spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, 0);
        float impulse = !mean && k == 0 ? derivative / decay.tau_mem : 0.0f;
        error += mean ? drive.direct * weighting * jumps.height : impulse * slope;
        float before = before_spike(jumps, slope, after, error) - impulse;
        // For the gradient by constants.
        layer.spike_slopes[slot] = before - after;
        float jump = (before - after) * -decay.tau_syn;
        layer.spike_mems[slot] *= jump;
        layer.spike_drives[slot] *= jump * decay.ratio;
        next = before - driven;
        next_time = time;
    }
    if (jumps.grazing > 0) atomicAdd(&control->grazing, (unsigned long long)jumps.grazing);
}

// Back through what arrived, taking up the jumps and what the loss does: the walks of li_backward.cu and
// lif_backward.cu in one.
template <class Arrivals, bool mean, bool errors>
__device__ __forceinline__ void take_driven_back(Layer const& layer, Lane const& lane, int spikes, size_t slots,
                                                 float derivative, Parts& parts, Rings& rings) {
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    // Of the spike met next.
    int left = spikes;
    size_t slot = slots + (size_t)max(left - 1, 0) * layer.stride;
    int interval = left > 0 ? layer.spike_intervals[slot] : -1;
    float mu_voltage = 0.0f, mu_current = 0.0f;
    float voltage = 0.0f, current = 0.0f;  // what follows the weight of the time in a mean
    int highest = -1;                      // where the voltage is highest, of a neuron that does not spike
    float inside = -1.0f, jump = 0.0f, moved = 0.0f;
    int mover = 0;
    int end = arrivals.count;
    if (mean) {
        voltage = Drive::of(layer, decay, derivative).level * -decay.tau_syn;
        current = voltage / fmaf(decay.tau_syn, layer.rate, 1.0f);
        float last = arrivals.factor(arrivals.count + 1);
        mu_voltage = -voltage * last;
        mu_current = -current * last;
    } else {
        if (spikes == 0 && lane.neuron < layer.targets) {
            highest = layer.peak_intervals[place];
            inside = layer.peak_elapsed[place];
            jump = derivative / decay.ratio;
        }
        // At an arrival, where the voltage turns, it moves with it.
        if (highest >= 0 && inside < 0.0f) {
            mover = mover_after(layer, arrivals, lane.neuron, highest);
            moved = derivative * (layer.peak_currents[place] - layer.peaks[place]) / decay.tau_mem;
        }
        end = last_of(arrivals, max(max(interval, mover), min(highest + 1, arrivals.count)));
    }
    Trace<typename Arrivals::Order, errors> trace(layer, decay, lane, arrivals, parts);
    int top = trace.leave_silent(arrivals, end);
    auto still = [&](int r, float weight) {
        float factor = mean ? arrivals.factor(min(r, arrivals.count)) : 0.0f;
        float more = !mean && r > 0 && mover == r ? moved : 0.0f;
        trace.arrive(arrivals, r, weight, fmaf(voltage, factor, mu_voltage), fmaf(current, factor, mu_current), more);
    };
    auto visit = [&](int r, Record const& record, float weight) {
        sweep(mu_voltage, mu_current, record, decay.ratio);
        while (interval == r) {
            mu_voltage += layer.spike_mems[slot];
            mu_current += layer.spike_drives[slot];
            left--;
            slot -= layer.stride;
            interval = left > 0 ? layer.spike_intervals[slot] : -1;
        }
        if (!mean && r == highest) {
            Interval to = {record.mem, record.syn, record.drive};
            if (inside >= 0.0f) to = interval_of(decay, inside);
            mu_voltage += jump * to.mem;
            mu_current += jump * to.drive * decay.ratio;
        }
        still(r, weight);
    };
    Walk<Arrivals>(layer, arrivals, lane.neuron, rings).template back<errors>(top, visit, still);
}

template <class Arrivals, bool mean>
__device__ __forceinline__ void walk_driven_back(Layer const& layer, Control* control, float const* above_errors,
                                                 int above_width, int above_tiles, int first, int samples,
                                                 Parts& parts, Rings& rings) {
    // Where room lacked, spikes are missing.
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= samples || !lane.exists) return;
    lane.sample += first;
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    int spikes = layer.spike_counts[place];
    size_t slots = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    float derivative = lane.neuron < layer.targets ? layer.derivatives[place] : 0.0f;
    jump_driven_back<mean>(layer, Arrivals::decay_of(layer, lane.neuron), control, lane, spikes, slots, above_errors,
                           above_width, above_tiles, derivative);
    if (layer.wants_errors) take_driven_back<Arrivals, mean, true>(layer, lane, spikes, slots, derivative, parts, rings);
    else take_driven_back<Arrivals, mean, false>(layer, lane, spikes, slots, derivative, parts, rings);
}

// Grids and arguments: as lif_backward. That the loss looks at a spike is not asked: it does not.
extern "C" __global__ void lif_mean_backward(Layer layer, Control* control, float const* above_errors, int above_width,
                                             int above_tiles, int, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_driven_back<Undelayed, true>(layer, control, above_errors, above_width, above_tiles, first, samples, parts,
                                           rings);
}

extern "C" __global__ void lif_mean_backward_delayed(Layer layer, Control* control, float const* above_errors,
                                                     int above_width, int above_tiles, int, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_driven_back<Delayed, true>(layer, control, above_errors, above_width, above_tiles, first, samples, parts,
                                        rings);
}

extern "C" __global__ void lif_maximum_backward(Layer layer, Control* control, float const* above_errors,
                                                int above_width, int above_tiles, int, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_driven_back<Undelayed, false>(layer, control, above_errors, above_width, above_tiles, first, samples, parts,
                                            rings);
}

extern "C" __global__ void lif_maximum_backward_delayed(Layer layer, Control* control, float const* above_errors,
                                                        int above_width, int above_tiles, int, int first,
                                                        int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_driven_back<Delayed, false>(layer, control, above_errors, above_width, above_tiles, first, samples, parts,
                                         rings);
}
