// Voltages of an output layer whose neurons hear one another, on any way: measured when all spikes are known, each
// neuron for itself; and the walks back from there.
#include "drive.cuh"
#include "queue.cuh"
#include "recurrent.cuh"

// What a neuron hears, by time: without delays all hear the same.
struct HeardTogether {
    float const* times;
    int count, heard;

    static __device__ __forceinline__ HeardTogether of(Layer const& walk, Layer const&, int sample, int) {
        return {walk.times + (size_t)sample * walk.width + 1, walk.counts[sample], 0};
    }
    // Of what comes next: NEVER if nothing does.
    __device__ __forceinline__ float time() const { return heard < count ? times[heard] : NEVER; }
    // Its event.
    __device__ __forceinline__ int take() { return heard++; }
};

// With delays each hears those below, and the spikes of the layer, in orders of its own.
template <class Arrivals>
struct HeardApart {
    Arrivals arrivals;
    Queue queue;
    int below, own;

    static __device__ __forceinline__ HeardApart of(Layer const& walk, Layer const& below, int sample, int column) {
        int queued = walk.heard_counts[(size_t)sample * walk.stride + column];
        return {Arrivals::of(below, sample, column), Queue::of(below, walk, sample, column, queued), 0, 0};
    }
    __device__ __forceinline__ float from_below() const { return below < arrivals.count ? arrivals.start(below + 1) : NEVER; }
    __device__ __forceinline__ float from_own() const { return own < queue.count ? queue.time(own) : NEVER; }
    __device__ __forceinline__ float time() const { return fminf(from_below(), from_own()); }
    __device__ __forceinline__ int take() {
        return is_from_below(from_below(), from_own()) ? arrivals.event(++below) : queue.event(own++);
    }
};

// A neuron of the output layer, and its column of the walk's matrix.
struct Measured {
    Layer const& layer;
    Layer const& walk;
    int sample, neuron, column;

    __device__ __forceinline__ size_t place() const { return (size_t)sample * layer.stride + neuron; }
    // Of the neuron's synapse with who sent an event; 0 if there is none.
    __device__ __forceinline__ float weight(int event) const {
        int source = walk.records[(size_t)sample * walk.width + 1 + event].source;
        return walk.weights[(size_t)source * walk.stride + column];
    }
};

// As measure_maximum of li_forward.cu, of a silent neuron; says where it is as DrivenByVoltage asks.
template <class Heard>
__device__ __forceinline__ void follow_to_maximum(Measured const& own, Heard heard) {
    Layer const& layer = own.layer;
    Decay const& decay = DrivenByVoltage::decay_of(layer, own.neuron);
    float bias = layer.bias[own.neuron];
    float now = 0.0f, u = -bias, current = 0.0f;
    float peak = u, start = 0.0f, elapsed = -1.0f, slope = 0.0f;
    // With which event it moves: the first of its moment that the neuron hears.
    int mover = NO_EVENT;
    float turn = NEVER;
    for (;;) {
        bool arrives = heard.time() <= layer.duration;
        float end = arrives ? heard.time() : layer.duration;
        int event = arrives ? heard.take() : NO_EVENT;
        float weight = arrives ? own.weight(event) : 0.0f;
        Interval step = interval_of(decay, end - now);
        float u_end = fmaf(u, step.mem, current * step.drive);
        float current_end = current * step.syn;
        if (current > u && u_end > current_end && current > peak) {
            float s = time_of_extremum(decay, u, current);
            float height = current * expf(-s / decay.tau_syn);
            if (height > peak) {
                peak = height;
                start = now;
                elapsed = s;
                slope = 0.0f;
                mover = NO_EVENT;
                turn = NEVER;
            }
        }
        if (u_end > peak) {
            peak = u_end;
            start = now;
            elapsed = end - now;
            slope = (current_end - u_end) / decay.tau_mem;
            mover = NO_EVENT;
            turn = end;
        }
        if (mover == NO_EVENT && turn == end && weight != 0.0f) mover = event;
        u = u_end;
        current = current_end;
        now = end;
        if (!arrives) break;
        current += weight;
    }
    layer.outputs[own.place()] = peak + bias;
    layer.peaks[own.place()] = start;
    layer.peak_elapsed[own.place()] = elapsed;
    layer.peak_currents[own.place()] = slope;
    layer.peak_intervals[own.place()] = mover;
}

// As measure_spiking_mean of lif_voltage.cu.
template <class Heard>
__device__ __forceinline__ void add_up_mean(Measured const& own, Heard heard) {
    Layer const& layer = own.layer;
    Decay const& decay = DrivenByVoltage::decay_of(layer, own.neuron);
    int spikes = layer.spike_counts[own.place()], met = 0;
    float const* times = layer.spike_times + (size_t)own.sample * layer.slots * layer.stride + own.neuron;
    float bias = layer.bias[own.neuron], height = layer.threshold[own.neuron] - layer.reset;
    float now = 0.0f, u = -bias, current = 0.0f;
    double arrived = 0.0, fallen = 0.0;
    for (;;) {
        float arrival = heard.time();
        float spike = met < spikes ? times[(size_t)met * layer.stride] : NEVER;
        float end = fminf(fminf(arrival, spike), layer.duration);
        Interval step = interval_of(decay, end - now);
        u = fmaf(u, step.mem, current * step.drive);
        current *= step.syn;
        now = end;
        float weighting = expf(-layer.rate * now);
        if (met < spikes && spike <= arrival) {
            u -= height;
            fallen += weighting;
            met++;
        } else if (arrival <= layer.duration) {
            float weight = own.weight(heard.take());
            arrived += (double)weight * weighting;
            current += weight;
        } else {
            break;
        }
    }
    float last = expf(-layer.rate * layer.duration);
    double currents = (arrived - last * current) * decay.tau_syn / (1.0 + (double)decay.tau_syn * layer.rate);
    double falls = fallen * height + fmaf(last, u, bias);
    double voltages = (currents - decay.tau_mem * falls) / (1.0 + (double)decay.tau_mem * layer.rate);
    float weight = layer.rate == 0.0f ? 1.0f : (1.0f - last) / (layer.rate * layer.duration);
    layer.outputs[own.place()] = fmaf(bias, weight, (float)(voltages / layer.duration));
}

// `layer` is the output, `walk` what is walked with it, in whose matrices it has the columns from `column` on.
template <class Heard>
__device__ __forceinline__ void measure_voltages(Layer const& layer, Layer const& walk, Layer const& below, int column,
                                                 int kind) {
    int sample = blockIdx.x * blockDim.y + threadIdx.y;
    int neuron = blockIdx.y * blockDim.x + threadIdx.x;
    if (sample >= layer.samples || neuron >= layer.targets) return;
    Measured own = {layer, walk, sample, neuron, column + neuron};
    if (kind != READOUT_MAXIMUM) add_up_mean(own, Heard::of(walk, below, sample, own.column));
    else if (layer.spike_counts[own.place()] > 0) layer.outputs[own.place()] = layer.threshold[neuron];
    else follow_to_maximum(own, Heard::of(walk, below, sample, own.column));
}

// Grids: as lif_forward, of the output layer.
extern "C" __global__ void measure_recurrent(Layer layer, Layer walk, Layer below, int column, int kind) {
    measure_voltages<HeardTogether>(layer, walk, below, column, kind);
}
extern "C" __global__ void measure_queued(Layer layer, Layer walk, Layer below, int column, int kind) {
    measure_voltages<HeardApart<CommonArrivals>>(layer, walk, below, column, kind);
}
extern "C" __global__ void measure_queued_delayed(Layer layer, Layer walk, Layer below, int column, int kind) {
    measure_voltages<HeardApart<OwnArrivals>>(layer, walk, below, column, kind);
}

// A neuron on the way back of which a loss drives the voltage.
struct DrivenAdjoint : Adjoint {
    static __device__ __forceinline__ DrivenAdjoint of(Place const& place, int sample, int spikes, int kind) {
        Mu start = DrivenByVoltage::start(place.layer, sample, place.neuron, kind);
        return {{start.mu_voltage, start.mu_current, spikes}};
    }
    __device__ __forceinline__ Mu at_arrival(Place const& place, int sample, float time, int kind) const {
        Mu driven = DrivenByVoltage::at(place.layer, sample, place.neuron, kind, time);
        return {mu_voltage + driven.mu_voltage, mu_current + driven.mu_current};
    }
    __device__ __forceinline__ float with_moved(float by_time, Place const& place, int sample, int event,
                                                int kind) const {
        return by_time + DrivenByVoltage::moved(place.layer, sample, place.neuron, kind, event);
    }
    __device__ __forceinline__ void jump(Place const& place, int sample, Decay const& decay, float time, float error,
                                         Above above, int kind, int& grazing) {
        spikes--;
        Layer const& its = place.layer;
        float tau = -decay.tau_syn;
        Mu driven = DrivenByVoltage::at(its, sample, place.neuron, kind, time);
        error += DrivenByVoltage::error(its, sample, place.neuron, kind, spikes, time);
        float after = (mu_voltage + driven.mu_voltage) / tau;
        float before = back_over_spike(place, sample, spikes, after, error, above, 0, grazing);
        float impulse = DrivenByVoltage::impulse(its, sample, place.neuron, kind, spikes);
        if (place.member) {
            its.spike_slopes[((size_t)sample * its.slots + spikes) * its.stride + place.neuron] -= impulse;
        }
        mu_voltage = (before - impulse) * tau - driven.mu_voltage;
    }
};

// Grids and arguments: as the walks back of lif_recurrent.cu and lif_queued_backward.cu, but that `kind` says what is
// measured.
// Room for two blocks would make it spill.
extern "C" __global__ void __launch_bounds__(MAX_THREADS, SHARED_BLOCKS) lif_recurrent_backward_driven(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles, int kind, int first,
    Layer below) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_recurrent_back<OneEach, DrivenAdjoint>(below, layer, control, {above_errors, above_width, above_tiles}, kind,
                                                  first, nullptr, nullptr, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_recurrent_backward_driven_large(
    Layer layer, Control* control, int kind, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_recurrent_back<SeveralEach, DrivenAdjoint>(below, layer, control, {}, kind, first, members, states, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_backward_driven(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles, int kind, int first,
    Layer below) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<CommonArrivals, OneEach, DrivenAdjoint>(
        below, layer, control, {above_errors, above_width, above_tiles}, kind, first, nullptr, nullptr, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_THREADS) lif_queued_backward_delayed_driven(
    Layer layer, Control* control, float const* above_errors, int above_width, int above_tiles, int kind, int first,
    Layer below) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<OwnArrivals, OneEach, DrivenAdjoint>(
        below, layer, control, {above_errors, above_width, above_tiles}, kind, first, nullptr, nullptr, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_backward_driven_large(
    Layer layer, Control* control, int kind, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<CommonArrivals, SeveralEach, DrivenAdjoint>(below, layer, control, {}, kind, first, members,
                                                                   states, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_backward_delayed_driven_large(
    Layer layer, Control* control, int kind, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<OwnArrivals, SeveralEach, DrivenAdjoint>(below, layer, control, {}, kind, first, members, states,
                                                                sums);
}
