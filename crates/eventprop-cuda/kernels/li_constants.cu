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
    float inside = layer.peak_elapsed[place];
    Dependent at = {-layer.bias[lane.neuron], 0.0f, 0.0f, 0.0f, 0.0f};
    float time = 0.0f;
    for (int r = 0; r <= interval; r++) {
        at.current += column[arrivals.source(r)];
        time = arrivals.start(r);
        float dt = r == interval && inside >= 0.0f ? inside : arrivals.start(r + 1) - time;
        at.advance(decay, dt);
        time += dt;
    }
    float derivative = layer.derivatives[place];
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, derivative * at.by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, derivative * at.by_syn);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, derivative * voltage_by_bias(decay, time));
}

// Of an integrator whose mean counts.
template <class Arrivals>
__device__ __forceinline__ void mean_constants(Layer const& layer, Control const* control, float* parts) {
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= layer.samples || lane.neuron >= layer.targets) return;
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    Column column = Column::of(layer.weights, layer.stride, lane.neuron);
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    float bias = layer.bias[lane.neuron];
    Dependent at = {-bias, 0.0f, 0.0f, 0.0f, 0.0f};
    float arrived = 0.0f;
    for (int r = 0; r <= arrivals.count; r++) {
        float weight = column[arrivals.source(r)];
        arrived = fmaf(weight, arrivals.factor(r), arrived);
        at.current += weight;
        at.advance(decay, arrivals.start(r + 1) - arrivals.start(r));
    }
    // What arrives between times in which nothing does is all that sets them apart from one.
    float last = expf(-layer.rate * layer.duration);
    Integrals integrals = {arrived - last * at.current, fmaf(last, at.u, bias), last * at.by_mem, last * at.by_syn,
                           last * at.current_by_syn, last * voltage_by_bias(decay, layer.duration),
                           integral_of_weight(layer.rate, 0.0f, layer.duration)};
    Means means = integrals.means(layer, decay);
    float derivative = layer.derivatives[place] / layer.duration;
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, derivative * means.by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, derivative * means.by_syn);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, derivative * means.by_bias);
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
