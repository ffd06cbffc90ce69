// Leaky integrators, measured on their voltages.
#include "walk.cuh"

// Follows each voltage to its maximum, at least 0.
template <class Arrivals>
__device__ __forceinline__ void measure_maximum(Layer const& layer, Rings& rings) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    Decay const& decay = Arrivals::decay_of(layer, neuron);
    float bias = layer.bias[neuron];
    float u = -bias, current = 0.0f;
    float peak = u, peak_elapsed = -1.0f, peak_current = 0.0f;
    int peak_interval = -1;
    auto still = [&](int, float weight) { current += weight; };
    auto visit = [&](int r, Record const& record, float weight) {
        current += weight;
        float u_end = fmaf(u, record.mem, current * record.drive);
        float current_end = current * record.syn;
        // It rises at the start, falls at the end, and the current bounds what lies between.
        if (current > u && u_end > current_end && current > peak) {
            float s = time_of_extremum(decay, u, current);
            float height = current * expf(-s / decay.tau_syn);
            if (height > peak) {
                peak = height;
                peak_interval = r;
                peak_elapsed = s;
            }
        }
        if (u_end > peak) {
            peak = u_end;
            peak_interval = r;
            peak_elapsed = -1.0f;
            peak_current = current_end;
        }
        u = u_end;
        current = current_end;
    };
    Walk<Arrivals>(layer, arrivals, neuron, rings).forward(visit, still);
    size_t place = (size_t)sample * layer.stride + neuron;
    layer.outputs[place] = peak + bias;
    layer.peaks[place] = peak;
    layer.peak_intervals[place] = peak_interval;
    layer.peak_elapsed[place] = peak_elapsed;
    layer.peak_currents[place] = peak_current;
}

// The mean of a voltage over the duration T, weighted by f(t) = exp(-rate t), from what voltage and current are at the
// end. By parts, with F the weighted sum of the weights that `arrived`, J = integral of f I = tau_syn (F - f(T) I(T)) /
// (1 + rate tau_syn), and the integral of f u is (J - tau_mem (f(T) u(T) - u(0))) / (1 + rate tau_mem).
__device__ __forceinline__ float mean_voltage(Layer const& layer, Decay const& decay, float bias, float u, float current,
                                              float arrived, float last) {
    float currents = (arrived - last * current) * (decay.tau_syn / fmaf(decay.tau_syn, layer.rate, 1.0f));
    float voltages = (currents - decay.tau_mem * fmaf(last, u, bias)) / fmaf(decay.tau_mem, layer.rate, 1.0f);
    float weight = layer.rate == 0.0f ? 1.0f : (1.0f - last) / (layer.rate * layer.duration);
    return fmaf(bias, weight, voltages / layer.duration);
}

// Adds up what the mean of each voltage needs.
template <class Arrivals>
__device__ __forceinline__ void measure_mean(Layer const& layer, Rings& rings) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.stride) return;
    Arrivals arrivals = Arrivals::of(layer, sample, neuron);
    float bias = layer.bias[neuron];
    float u = -bias, current = 0.0f, arrived = 0.0f;
    auto still = [&](int r, float weight) {
        arrived = fmaf(weight, arrivals.factor(min(r, arrivals.count)), arrived);
        current += weight;
    };
    auto visit = [&](int r, Record const& record, float weight) {
        still(r, weight);
        u = fmaf(u, record.mem, current * record.drive);
        current *= record.syn;
    };
    Walk<Arrivals>(layer, arrivals, neuron, rings).forward(visit, still);
    float last = arrivals.factor(arrivals.count + 1);
    layer.outputs[(size_t)sample * layer.stride + neuron] =
        mean_voltage(layer, Arrivals::decay_of(layer, neuron), bias, u, current, arrived, last);
}

// Grids: as lif_forward.
extern "C" __global__ void li_maximum(Layer layer) {
    __shared__ Rings rings;
    measure_maximum<CommonArrivals>(layer, rings);
}
extern "C" __global__ void li_maximum_delayed(Layer layer) {
    __shared__ Rings rings;
    measure_maximum<OwnArrivals>(layer, rings);
}
extern "C" __global__ void li_mean(Layer layer) {
    __shared__ Rings rings;
    measure_mean<CommonArrivals>(layer, rings);
}
extern "C" __global__ void li_mean_delayed(Layer layer) {
    __shared__ Rings rings;
    measure_mean<OwnArrivals>(layer, rings);
}
extern "C" __global__ void li_maximum_heterogeneous(Layer layer) {
    __shared__ Rings rings;
    measure_maximum<Heterogeneous<CommonArrivals>>(layer, rings);
}
extern "C" __global__ void li_maximum_delayed_heterogeneous(Layer layer) {
    __shared__ Rings rings;
    measure_maximum<Heterogeneous<OwnArrivals>>(layer, rings);
}
extern "C" __global__ void li_mean_heterogeneous(Layer layer) {
    __shared__ Rings rings;
    measure_mean<Heterogeneous<CommonArrivals>>(layer, rings);
}
extern "C" __global__ void li_mean_delayed_heterogeneous(Layer layer) {
    __shared__ Rings rings;
    measure_mean<Heterogeneous<OwnArrivals>>(layer, rings);
}
