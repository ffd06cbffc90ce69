// The adjoint of leaky integrate-and-fire neurons (Wunderlich & Pehle 2021, eq. 3).
#include "trace.cuh"

// The jumps at a neuron's spikes, the last first: between them lambda_V only decays. at_spike(slot, time, before, after)
// is told lambda_V just before each and just after.
template <class AtSpike>
__device__ __forceinline__ void jump_back(Layer const& layer, Decay const& decay, Control* control, Lane const& lane,
                                          int spikes, size_t slots, float const* above_errors, int above_width,
                                          int above_tiles, int every_spike, AtSpike at_spike) {
    Jumps jumps = jumps_of(layer, lane, spikes);
    // lambda_V just before the neuron's next spike, and when that is.
    float next = 0.0f, next_time = 0.0f;
    // Time and slope of each spike are fetched while that after it is dealt with.
    float coming_time = 0.0f, coming_slope = 0.0f;
    if (spikes > 0) {
        size_t last = slots + (size_t)(spikes - 1) * layer.stride;
        coming_time = layer.spike_times[last];
        coming_slope = layer.spike_slopes[last];
    }
    for (int k = spikes - 1; k >= 0; k--) {
        size_t slot = slots + (size_t)k * layer.stride;
        float time = coming_time, slope = coming_slope;
        if (k > 0) {
            coming_time = layer.spike_times[slot - layer.stride];
            coming_slope = layer.spike_slopes[slot - layer.stride];
        }
        float after = next == 0.0f ? 0.0f : next * expf((time - next_time) / decay.tau_mem);
        float error = spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
        float before = before_spike(jumps, slope, after, error);
        at_spike(slot, time, before, after);
        next = before;
        next_time = time;
    }
    if (jumps.grazing > 0) atomicAdd(&control->grazing, (unsigned long long)jumps.grazing);
}

// A neuron's spikes on the way back, from the last on.
struct Spikes {
    Layer const& layer;
    int left;
    size_t slot;   // of the spike met next
    int interval;  // and its interval, -1 after the last

    __device__ __forceinline__ Spikes(Layer const& layer, int spikes, size_t slots)
        : layer(layer), left(spikes), slot(slots + (size_t)max(left - 1, 0) * layer.stride), interval(find()) {}

    __device__ __forceinline__ int find() const { return left > 0 ? layer.spike_intervals[slot] : -1; }
    // Takes up what its jump leaves at the start of the interval.
    __device__ __forceinline__ void take(float& mu_voltage, float& mu_current) {
        mu_voltage += layer.spike_mems[slot];
        mu_current += layer.spike_drives[slot];
        left--;
        slot -= layer.stride;
        interval = find();
    }
};

// Back through what arrived, taking up the jumps: begin() is the first of them.
template <class Arrivals, bool errors, class Begin>
__device__ __forceinline__ void take_back(Layer const& layer, Lane const& lane, Begin const& begin, Parts& parts,
                                          Rings& rings) {
    Arrivals arrivals = Arrivals::of(layer, lane.sample, lane.neuron);
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    Trace<typename Arrivals::Order, errors> trace(layer, decay, lane, arrivals, parts);
    auto turns = begin();
    int top = trace.leave_silent(arrivals, last_of(arrivals, turns.interval));
    float mu_voltage = 0.0f, mu_current = 0.0f;
    auto still = [&](int r, float weight) { trace.arrive(arrivals, r, weight, mu_voltage, mu_current, 0.0f); };
    auto visit = [&](int r, Record const& record, float weight) {
        sweep(mu_voltage, mu_current, record, decay.ratio);
        while (turns.interval == r) turns.take(mu_voltage, mu_current);
        still(r, weight);
    };
    Walk<Arrivals>(layer, arrivals, lane.neuron, rings).template back<errors>(top, visit, still);
}

template <class Arrivals>
__device__ __forceinline__ void walk_lif_back(Layer const& layer, Control* control,
                                              float const* above_errors, int above_width,
                                              int above_tiles, int every_spike, int first,
                                              int samples, Parts& parts, Rings& rings) {
    // Where room lacked, spikes have no place among the arrivals of the layer above.
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= samples || !lane.exists) return;
    lane.sample += first;
    int spikes = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    size_t slots = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    Decay const& decay = Arrivals::decay_of(layer, lane.neuron);
    // What a jump leaves at the start of its interval takes the place of the decays that carry it there.
    auto leave = [&](size_t slot, float, float before, float after) {
        float jump = (before - after) * -decay.tau_syn;
        layer.spike_mems[slot] *= jump;
        layer.spike_drives[slot] *= jump * decay.ratio;
    };
    jump_back(layer, decay, control, lane, spikes, slots, above_errors, above_width, above_tiles, every_spike, leave);
    auto begin = [&] { return Spikes(layer, spikes, slots); };
    if (layer.wants_errors) take_back<Arrivals, true>(layer, lane, begin, parts, rings);
    else take_back<Arrivals, false>(layer, lane, begin, parts, rings);
}

// Grid: as lif_forward, over the samples from `first` on.
extern "C" __global__ void lif_backward(Layer layer, Control* control, float const* above_errors,
                                        int above_width, int above_tiles, int every_spike, int first,
                                        int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_lif_back<CommonArrivals>(layer, control, above_errors, above_width, above_tiles, every_spike,
                                  first, samples, parts, rings);
}

extern "C" __global__ void lif_backward_delayed(Layer layer, Control* control,
                                                float const* above_errors, int above_width,
                                                int above_tiles, int every_spike, int first,
                                                int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_lif_back<OwnArrivals>(layer, control, above_errors, above_width, above_tiles, every_spike,
                               first, samples, parts, rings);
}

extern "C" __global__ void lif_backward_heterogeneous(Layer layer, Control* control, float const* above_errors, int above_width,
        int above_tiles, int every_spike, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_lif_back<Heterogeneous<CommonArrivals>>(layer, control, above_errors, above_width, above_tiles, every_spike, first,
                                        samples, parts, rings);
}

extern "C" __global__ void lif_backward_delayed_heterogeneous(Layer layer, Control* control, float const* above_errors, int above_width,
        int above_tiles, int every_spike, int first, int samples) {
    __shared__ Parts parts;
    __shared__ Rings rings;
    walk_lif_back<Heterogeneous<OwnArrivals>>(layer, control, above_errors, above_width, above_tiles, every_spike, first,
                                        samples, parts, rings);
}
