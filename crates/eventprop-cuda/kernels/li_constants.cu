// The loss's derivatives by the constants of leaky integrators.
#include "dependent.cuh"

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
