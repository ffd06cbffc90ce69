// The adjoint of leaky integrators.
#include "trace.cuh"

// Where a voltage is highest, and what the loss's derivative by it does.
struct Peak {
    int interval;  // the record, or -1 for time 0
    float inside;  // ms from the start of its interval, or -1 for the interval's end
    float jump;    // of mu_V: lambda_V grows by -1/tau_mem times the derivative
    int mover;     // the arrival at which the voltage turns, or 0
    float moved;   // the derivative by its time
};

// That of a lane's neuron.
template <class Arrivals>
__device__ __forceinline__ Peak peak_of(Layer const& layer, Lane const& lane, Decay const& decay,
                                        Arrivals const& arrivals) {
    if (lane.neuron >= layer.targets) return {-1, -1.0f, 0.0f, 0, 0.0f};
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    float derivative = layer.derivatives[place];
    int interval = layer.peak_intervals[place];
    float inside = layer.peak_elapsed[place];
    // A maximum at an arrival, where the voltage turns, moves with it.
    bool turns = interval >= 0 && inside < 0.0f;
    int mover = turns ? mover_after(layer, arrivals, lane.neuron, interval) : 0;
    float moved = turns ? derivative * (layer.peak_currents[place] - layer.peaks[place]) / decay.tau_mem : 0.0f;
    return {interval, inside, derivative / decay.ratio, mover, moved};
}

template <class Arrivals, bool errors>
__device__ __forceinline__ void walk_maximum_back(Layer const& layer, int first, int samples, Parts& parts, Rings& rings) {
    Lane lane = lane_of(layer);
    if (lane.sample >= samples || !lane.exists) return;
    lane.sample += first;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    Peak peak = peak_of(layer, lane, decay, arrivals);

    Trace<typename Arrivals::Order, errors> trace(layer, decay, lane, arrivals, parts);
    int top = trace.leave_silent(arrivals, last_of(arrivals, max(peak.mover, min(peak.interval + 1, arrivals.count))));
    float mu_voltage = 0.0f, mu_current = 0.0f;
    auto still = [&](int r, float weight) {
        float more = r > 0 && peak.mover == r ? peak.moved : 0.0f;
        trace.arrive(arrivals, r, weight, mu_voltage, mu_current, more);
    };
    auto visit = [&](int r, Record const& record, float weight) {
        sweep(mu_voltage, mu_current, record, decay.ratio);
        if (r == peak.interval) {
            Interval to = {record.mem, record.syn, record.drive};
            if (peak.inside >= 0.0f) to = interval_of(decay, peak.inside);
            mu_voltage += peak.jump * to.mem;
            mu_current += peak.jump * to.drive * decay.ratio;
        }
        still(r, weight);
    };
    Walk<Arrivals>(layer, arrivals, lane.neuron, rings).template back<errors>(top, visit, still);
}

// With l = a f the loss's drive, a = derivative/T: lambda_V = -l/(1 + rate tau_mem) and lambda_I =
// lambda_V/(1 + rate tau_syn) solve the adjoint equations; what starts as their opposite at the end only
// decays. This is mu of the first where f is 1.
__device__ __forceinline__ Mu drive_of_mean(Layer const& layer, Lane const& lane, Decay const& decay) {
    bool is_neuron = lane.neuron < layer.targets;
    float derivative = is_neuron ? layer.derivatives[(size_t)lane.sample * layer.stride + lane.neuron] : 0.0f;
    float voltage = derivative * decay.tau_syn / layer.duration / fmaf(decay.tau_mem, layer.rate, 1.0f);
    return {voltage, voltage / fmaf(decay.tau_syn, layer.rate, 1.0f)};
}

template <class Arrivals, bool errors>
__device__ __forceinline__ void walk_mean_back(Layer const& layer, int first, int samples, Parts& parts, Rings& rings) {
    Lane lane = lane_of(layer);
    if (lane.sample >= samples || !lane.exists) return;
    lane.sample += first;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);

    Mu drive = drive_of_mean(layer, lane, decay);
    float last = arrivals.factor(arrivals.count + 1);
    float mu_voltage = -drive.mu_voltage * last;
    float mu_current = -drive.mu_current * last;
    Trace<typename Arrivals::Order, errors> trace(layer, decay, lane, arrivals, parts);
    int top = trace.leave_silent(arrivals, arrivals.count);
    auto still = [&](int r, float weight) {
        float factor = arrivals.factor(min(r, arrivals.count));
        trace.arrive(arrivals, r, weight, fmaf(drive.mu_voltage, factor, mu_voltage),
                     fmaf(drive.mu_current, factor, mu_current), 0.0f);
    };
    auto visit = [&](int r, Record const& record, float weight) {
        sweep(mu_voltage, mu_current, record, decay.ratio);
        still(r, weight);
    };
    Walk<Arrivals>(layer, arrivals, lane.neuron, rings).template back<errors>(top, visit, still);
}

// Grids: as lif_forward, over the samples from `first` on.
extern "C" __global__ void li_maximum_backward(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    if (layer.wants_errors) walk_maximum_back<CommonArrivals, true>(layer, first, samples, parts, rings);
    else walk_maximum_back<CommonArrivals, false>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_maximum_backward_delayed(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_maximum_back<OwnArrivals, true>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_mean_backward(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    if (layer.wants_errors) walk_mean_back<CommonArrivals, true>(layer, first, samples, parts, rings);
    else walk_mean_back<CommonArrivals, false>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_mean_backward_delayed(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_mean_back<OwnArrivals, true>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_maximum_backward_heterogeneous(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    if (layer.wants_errors) walk_maximum_back<Heterogeneous<CommonArrivals>, true>(layer, first, samples, parts, rings);
    else walk_maximum_back<Heterogeneous<CommonArrivals>, false>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_maximum_backward_delayed_heterogeneous(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_maximum_back<Heterogeneous<OwnArrivals>, true>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_mean_backward_heterogeneous(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    if (layer.wants_errors) walk_mean_back<Heterogeneous<CommonArrivals>, true>(layer, first, samples, parts, rings);
    else walk_mean_back<Heterogeneous<CommonArrivals>, false>(layer, first, samples, parts, rings);
}
extern "C" __global__ void li_mean_backward_delayed_heterogeneous(Layer layer, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_mean_back<Heterogeneous<OwnArrivals>, true>(layer, first, samples, parts, rings);
}
