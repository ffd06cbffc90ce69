// The loss's derivatives by the constants of neurons that spike.
#include "dependent.cuh"
#include "queue.cuh"

// What a neuron hears, one arrival after the other, from a list.
template <class Arrivals>
struct Listed {
    Arrivals arrivals;
    int heard;

    static __device__ __forceinline__ Listed of(Layer const&, Layer const& heard, int sample, int column) {
        return {Arrivals::of(heard, sample, column), 0};
    }

    __device__ __forceinline__ bool is_over() const { return heard == arrivals.count; }
    // When the next arrives, or the end.
    __device__ __forceinline__ float next() const { return arrivals.start(heard + 1); }
    // Who sent it.
    __device__ __forceinline__ int take() { return arrivals.source(++heard); }
};

// The same from a list of what comes from below and a queue of what neurons of the walk sent.
template <class Arrivals>
struct Queued {
    Arrivals arrivals;
    Queue queue;
    Record const* records;  // of the walk's first event
    float duration;
    int below, own;

    static __device__ __forceinline__ Queued of(Layer const& below, Layer const& heard, int sample, int column) {
        int queued = heard.heard_counts[(size_t)sample * heard.stride + column];
        return {Arrivals::of(below, sample, column), Queue::of(below, heard, sample, column, queued),
                heard.records + (size_t)sample * heard.width + 1, heard.duration, 0, 0};
    }

    __device__ __forceinline__ bool is_over() const { return below == arrivals.count && own == queue.count; }
    __device__ __forceinline__ float from_below() const {
        return below < arrivals.count ? arrivals.start(below + 1) : NEVER;
    }
    __device__ __forceinline__ float from_own() const { return own < queue.count ? queue.time(own) : NEVER; }
    __device__ __forceinline__ float next() const { return fminf(fminf(from_below(), from_own()), duration); }
    __device__ __forceinline__ int take() {
        int event = is_from_below(from_below(), from_own()) ? arrivals.event(++below) : queue.event(own++);
        return records[event].source;
    }
};

// The jump of lambda_V where a neuron leaves its reset at time `leaves`, after which it is what the spike at `time` makes
// of it: between its spike and then lambda_V is 0.
__device__ __forceinline__ float jump_at_recovery(Decay const& decay, float leaves, float time, float before) {
    return -before * expf((leaves - time) / decay.tau_mem);
}

// Derivatives by threshold and bias. The jumps of lambda_V, as in lif_backward.cu, take the place of the spikes' slopes,
// if the way back has not put them there: then `are_known`. A neuron that needs time to recover is held at its reset for
// `refractory` ms, else that is negative.
__device__ __forceinline__ void jump_again(Layer const& layer, Decay const& decay, Lane const& lane, int spikes,
                                           size_t slots, float const* above_errors, int above_width, int above_tiles,
                                           int every_spike, int are_known, float refractory, float* parts) {
    Jumps jumps = jumps_among(layer, lane, spikes);
    float next = 0.0f, next_time = 0.0f, by_threshold = 0.0f, by_bias = 0.0f;
    for (int k = spikes - 1; k >= 0; k--) {
        size_t slot = slots + (size_t)k * layer.stride;
        float time = layer.spike_times[slot];
        float after = next == 0.0f ? 0.0f : next * expf((time - next_time) / decay.tau_mem);
        if (refractory >= 0.0f && next != 0.0f) {
            float leaves = fminf(time + refractory, next_time);
            float jump = jump_at_recovery(decay, leaves, next_time, next);
            by_bias = fmaf(-decay.tau_mem * jump, voltage_by_bias(decay, leaves), by_bias);
            after = 0.0f;
        }
        float jump = layer.spike_slopes[slot];
        if (!are_known) {
            float error = spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
            jump = before_spike(jumps, jump, after, error) - after;
            layer.spike_slopes[slot] = jump;
        }
        next = after + jump;
        next_time = time;
        // A rate regulariser pulls at the neuron, not at its threshold.
        by_threshold = fmaf(decay.tau_mem, next + jumps.pull, by_threshold);
        by_bias = fmaf(-decay.tau_mem * jump, voltage_by_bias(decay, time), by_bias);
    }
    leave(parts, layer, lane.sample, lane.neuron, THRESHOLD, by_threshold);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, by_bias);
}

// Neurons of `layer`, from column `first` on of the walk that hears `heard`, and `below` if that is described apart.
template <class Hears>
__device__ __forceinline__ void walk_lif_constants(Layer const& layer, Layer const& below, Layer const& heard, int first,
                                                   Control const* control, float const* above_errors,
                                                   int above_width, int above_tiles, int every_spike, int are_known,
                                                   float refractory, float* parts) {
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= layer.samples || lane.neuron >= layer.targets) return;
    Decay const& decay = layer.decays[lane.neuron];
    int left = layer.spike_counts[(size_t)lane.sample * layer.stride + lane.neuron];
    size_t slot = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    jump_again(layer, decay, lane, left, slot, above_errors, above_width, above_tiles, every_spike, are_known, refractory,
               parts);

    int column = first + lane.neuron;
    Hears hears = Hears::of(below, heard, lane.sample, column);
    Column weights = Column::of(heard.weights, heard.stride, column);
    float bias = layer.bias[lane.neuron];
    Dependent at = {-bias, 0.0f, 0.0f, 0.0f, 0.0f};
    float now = 0.0f, by_mem = 0.0f, by_syn = 0.0f;
    bool is_held = false;
    float leaves = 0.0f, at_recovery = 0.0f;
    while (left > 0) {
        float end = hears.next();
        // What arrives at the moment of a spike does not change the voltage there, nor its derivatives.
        while (left > 0) {
            float time = is_held ? leaves : layer.spike_times[slot];
            if (time > end) break;
            at.advance(decay, time - now);
            float jump = is_held ? at_recovery : layer.spike_slopes[slot];
            by_mem = fmaf(-decay.tau_mem * jump, at.by_mem, by_mem);
            by_syn = fmaf(-decay.tau_mem * jump, at.by_syn, by_syn);
            at.u = layer.reset - bias;
            now = time;
            if (is_held) {
                is_held = false;
                continue;
            }
            left--;
            slot += layer.stride;
            is_held = refractory >= 0.0f && left > 0;
            if (!is_held) continue;
            // What happens to the voltage until it leaves the reset does not count.
            float next_time = layer.spike_times[slot];
            leaves = fminf(time + refractory, next_time);
            at_recovery = jump_at_recovery(decay, leaves, next_time, layer.spike_slopes[slot]);
        }
        if (left == 0 || hears.is_over()) break;
        at.advance(decay, end - now);
        now = end;
        at.current += weights[hears.take()];
    }
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, by_syn);
}

// Grids: as lif_forward.
extern "C" __global__ void lif_constants(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known,
        float refractory, float* parts) {
    walk_lif_constants<Listed<CommonArrivals>>(layer, below, heard, first, control, above_errors, above_width, above_tiles, every_spike,
                            are_known, refractory, parts);
}
extern "C" __global__ void lif_constants_delayed(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known,
        float refractory, float* parts) {
    walk_lif_constants<Listed<OwnArrivals>>(layer, below, heard, first, control, above_errors, above_width, above_tiles, every_spike,
                            are_known, refractory, parts);
}
extern "C" __global__ void lif_constants_queued(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known,
        float refractory, float* parts) {
    walk_lif_constants<Queued<CommonArrivals>>(layer, below, heard, first, control, above_errors, above_width, above_tiles, every_spike,
                            are_known, refractory, parts);
}
extern "C" __global__ void lif_constants_queued_delayed(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known,
        float refractory, float* parts) {
    walk_lif_constants<Queued<OwnArrivals>>(layer, below, heard, first, control, above_errors, above_width, above_tiles, every_spike,
                            are_known, refractory, parts);
}
