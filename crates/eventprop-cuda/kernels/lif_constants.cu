// The loss's derivatives by the constants of neurons that spike.
#include "dependent.cuh"
#include "hears.cuh"

// Whether neurons need time to recover: else nothing is kept of it.
__device__ __forceinline__ bool recovers(Recovery const& recovery) { return recovery.rises != nullptr; }

// The jump of lambda_V where a neuron leaves its reset at time `leaves`, after which it is what the spike at `time` makes
// of it: between its spike and then lambda_V is 0.
__device__ __forceinline__ float jump_at_recovery(Decay const& decay, float leaves, float time, float before) {
    return -before * expf((leaves - time) / decay.tau_mem);
}

// What a loss that looks at a neuron's voltages does to its adjoint: see lif_voltage.cu and recovering_voltage.cu. `none`
// where it looks at none.
struct Look {
    float derivative;  // by what is measured
    bool mean;         // that is a mean, else the highest voltage
    int top;           // the number of the spike that this is the threshold of, if it is one's
    float level;       // of lambda_V, which follows the weight of the time where the neuron is not held

    static __device__ __forceinline__ Look none() { return {0.0f, false, NO_EVENT, 0.0f}; }
    static __device__ __forceinline__ Look of(Layer const& layer, Decay const& decay, size_t place, bool recovers,
                                              int kind) {
        float derivative = layer.derivatives[place];
        if (kind == READOUT_MAXIMUM) return {derivative, false, recovers ? top_spike(layer, place) : 0, 0.0f};
        return {derivative, true, NO_EVENT, -derivative / layer.duration / fmaf(decay.tau_mem, layer.rate, 1.0f)};
    }
    __device__ __forceinline__ float driven(Layer const& layer, float time) const {
        return level == 0.0f ? 0.0f : level * expf(-layer.rate * time);
    }
    // What moves that spike moves the highest voltage.
    __device__ __forceinline__ float impulse(Decay const& decay, int k) const {
        return k == top ? derivative / decay.tau_mem : 0.0f;
    }
};

// Derivatives by threshold and bias. The jumps of lambda_V, as in lif_backward.cu, take the place of the spikes' slopes,
// if the way back has not put them there: then `are_known`. Where the neuron needs time to recover, lambda_B and the
// derivatives by what raises its threshold are equations 14 and 15 of docs/derivation.md. Where the loss `looks` at
// voltages, the jumps at the ends of recoveries are known too.
template <bool looks>
__device__ __forceinline__ void jump_again(Layer const& layer, Decay const& decay, Lane const& lane, int spikes,
                                           size_t slots, float const* above_errors, int above_width, int above_tiles,
                                           int every_spike, int are_known, Recovery const& recovery, Look const& look,
                                           float* parts) {
    Jumps jumps = jumps_among(layer, lane, spikes);
    bool needs_time = recovers(recovery);
    // Of lambda_V, what only decays between spikes.
    float next = needs_time ? 0.0f : -look.driven(layer, layer.duration), next_time = layer.duration;
    float by_threshold = 0.0f, by_bias = 0.0f, by_beta = 0.0f, by_tau = 0.0f;
    // lambda_B just before the next spike, and what raising B then does to the derivative by tau_B.
    float next_adaptation = 0.0f, later = 0.0f;
    for (int k = spikes - 1; k >= 0; k--) {
        size_t slot = slots + (size_t)k * layer.stride;
        float time = layer.spike_times[slot], driven = needs_time ? 0.0f : look.driven(layer, time);
        float after = next == 0.0f ? 0.0f : next * expf((time - next_time) / decay.tau_mem);
        if (needs_time) {
            float leaves = fminf(time + recovery.refractory, next_time);
            float jump = looks ? recovery.drives[slot] : jump_at_recovery(decay, leaves, next_time, next);
            by_bias = fmaf(-decay.tau_mem * jump, voltage_by_bias(decay, leaves), by_bias);
            after = 0.0f;
        }
        after += driven;
        float jump = layer.spike_slopes[slot];
        if (!are_known) {
            float error = spike_error(layer, lane, k, slot, above_errors, above_width, above_tiles, every_spike);
            jump = before_spike(jumps, jump, after, error) - after;
            layer.spike_slopes[slot] = jump;
        }
        float before = after + jump;
        next = before - driven;
        // A rate regulariser pulls at the neuron, not at its threshold.
        float before_pull = before + look.impulse(decay, k) + jumps.pull;
        by_threshold = fmaf(decay.tau_mem, before_pull, by_threshold);
        by_bias = fmaf(-decay.tau_mem * jump, voltage_by_bias(decay, time), by_bias);
        if (needs_time) {
            float dt = next_time - time, fall = expf(-dt / recovery.tau());
            float adaptation = next_adaptation * fall;
            later = fall * fmaf(-next_adaptation / recovery.tau(), dt, later);
            by_beta = fmaf(-recovery.tau(), adaptation, by_beta);
            by_tau = fmaf(recovery.beta(), later, by_tau);
            next_adaptation = fmaf(-before_pull, decay.tau_mem / recovery.tau(), adaptation);
        }
        next_time = time;
    }
    leave(parts, layer, lane.sample, lane.neuron, THRESHOLD, by_threshold);
    leave(parts, layer, lane.sample, lane.neuron, BIAS, by_bias);
    if (needs_time) {
        leave(parts, layer, lane.sample, lane.neuron, ADAPTATION_BETA, by_beta);
        leave(parts, layer, lane.sample, lane.neuron, ADAPTATION_TAU, by_tau);
    }
}

// When the voltage of a neuron is highest, NEVER if that is at time 0 or at a spike.
template <class Hears>
__device__ __forceinline__ float time_of_peak(Layer const& layer, Hears const& hears, size_t place, int is_recurrent) {
    float elapsed = layer.peak_elapsed[place];
    int interval = layer.peak_intervals[place];
    if (is_recurrent ? elapsed < 0.0f : interval < 0) return NEVER;
    if (!is_recurrent && elapsed < 0.0f) return hears.arrivals.start(interval + 1);
    float start = is_recurrent ? layer.peaks[place] : hears.arrivals.start(interval);
    // The sum may be rounded beyond the end.
    return fminf(start + elapsed, layer.duration);
}

// Where a loss looks at the voltages of the layer, and at what of them.
struct Looking {
    int kind, is_recurrent;
};

// Neurons of `layer`, from column `first` on of the walk that hears `heard`, and `below` if that is described apart.
template <class Hears, bool looks>
__device__ __forceinline__ void walk_lif_constants(Layer const& layer, Layer const& below, Layer const& heard, int first,
                                                   Control const* control, float const* above_errors,
                                                   int above_width, int above_tiles, int every_spike, int are_known,
                                                   Recovery const& recovery, float* parts, Looking looking) {
    if (is_faulty(control)) return;
    Lane lane = lane_of(layer);
    if (lane.sample >= layer.samples || lane.neuron >= layer.targets) return;
    Decay const& decay = layer.decays[lane.neuron];
    size_t place = (size_t)lane.sample * layer.stride + lane.neuron;
    int left = layer.spike_counts[place];
    size_t slot = (size_t)lane.sample * layer.slots * layer.stride + lane.neuron;
    bool needs_time = recovers(recovery);
    Look look = looks ? Look::of(layer, decay, place, needs_time, looking.kind) : Look::none();
    float by_mem = 0.0f, by_syn = 0.0f;
    jump_again<looks>(layer, decay, lane, left, slot, above_errors, above_width, above_tiles, every_spike, are_known,
                      recovery, look, parts);
    float* by_bias = parts + ((size_t)BIAS * layer.samples + lane.sample) * layer.stride + lane.neuron;

    int column = first + lane.neuron;
    Hears hears = Hears::of(below, heard, lane.sample, column);
    Column weights = Column::of(heard.weights, heard.stride, column);
    float bias = layer.bias[lane.neuron];
    Dependent at = {-bias, 0.0f, 0.0f, 0.0f, 0.0f};
    float now = 0.0f;
    bool is_held = false;
    float leaves = 0.0f, at_recovery = 0.0f;
    bool to_end = looks && look.mean;
    bool has_peak = looks && !look.mean && (needs_time || left == 0);
    float peak = has_peak ? time_of_peak(layer, hears, place, looking.is_recurrent) : NEVER;
    Integrals integrals = {};
    auto advance_to = [&](float time) {
        Dependent before = at;
        at.advance(decay, time - now);
        if (looks && to_end && !is_held) integrals.add(layer, decay, before, at, now, time);
        now = time;
    };
    while (left > 0 || is_held || to_end || peak != NEVER) {
        float end = hears.next();
        float moment = is_held ? leaves : left > 0 ? layer.spike_times[slot] : NEVER;
        if (looks && peak <= end && peak <= moment) {
            advance_to(peak);
            by_mem = fmaf(look.derivative, at.by_mem, by_mem);
            by_syn = fmaf(look.derivative, at.by_syn, by_syn);
            *by_bias += look.derivative * voltage_by_bias(decay, peak);
            peak = NEVER;
            continue;
        }
        // What arrives at the moment of a spike does not change the voltage there, nor its derivatives.
        if (moment <= end) {
            advance_to(moment);
            float jump = is_held ? at_recovery : layer.spike_slopes[slot];
            by_mem = fmaf(-decay.tau_mem * jump, at.by_mem, by_mem);
            by_syn = fmaf(-decay.tau_mem * jump, at.by_syn, by_syn);
            at.u = layer.reset - bias;
            if (is_held) {
                is_held = false;
                continue;
            }
            left--;
            // Where nothing comes after it counts for nothing.
            is_held = needs_time && (looks || left > 0);
            if (is_held) {
                // What happens to the voltage until it leaves the reset does not count.
                float next_time = left > 0 ? layer.spike_times[slot + layer.stride] : NEVER;
                leaves = fminf(moment + recovery.refractory, next_time);
                at_recovery = looks ? recovery.drives[slot]
                                    : jump_at_recovery(decay, leaves, next_time, layer.spike_slopes[slot + layer.stride]);
            }
            slot += layer.stride;
            continue;
        }
        advance_to(end);
        if (hears.is_over()) break;
        at.current += weights[hears.take()];
    }
    if (looks && to_end) {
        Means means = integrals.means(layer, decay);
        float derivative = look.derivative / layer.duration;
        by_mem = fmaf(derivative, means.by_mem, by_mem);
        by_syn = fmaf(derivative, means.by_syn, by_syn);
        *by_bias += derivative * means.by_bias;
    }
    leave(parts, layer, lane.sample, lane.neuron, TAU_MEM, by_mem);
    leave(parts, layer, lane.sample, lane.neuron, TAU_SYN, by_syn);
}

// Grids: as lif_forward.
extern "C" __global__ void lif_constants(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts) {
    walk_lif_constants<Listed<CommonArrivals>, false>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, {});
}
extern "C" __global__ void lif_constants_delayed(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts) {
    walk_lif_constants<Listed<OwnArrivals>, false>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, {});
}
extern "C" __global__ void lif_constants_queued(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts) {
    walk_lif_constants<Queued<CommonArrivals>, false>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, {});
}
extern "C" __global__ void lif_constants_queued_delayed(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts) {
    walk_lif_constants<Queued<OwnArrivals>, false>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, {});
}

// Of an output that spikes, of which the loss looks at the voltages.
extern "C" __global__ void lif_constants_looking(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts, Looking looking) {
    walk_lif_constants<Listed<CommonArrivals>, true>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, looking);
}
extern "C" __global__ void lif_constants_looking_delayed(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts, Looking looking) {
    walk_lif_constants<Listed<OwnArrivals>, true>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, looking);
}
extern "C" __global__ void lif_constants_looking_queued(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts, Looking looking) {
    walk_lif_constants<Queued<CommonArrivals>, true>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, looking);
}
extern "C" __global__ void lif_constants_looking_queued_delayed(Layer layer, Layer below, Layer heard, int first, Control const* control,
        float const* above_errors, int above_width, int above_tiles, int every_spike, int are_known, Recovery recovery,
        float* parts, Looking looking) {
    walk_lif_constants<Queued<OwnArrivals>, true>(layer, below, heard, first, control, above_errors, above_width, above_tiles,
        every_spike, are_known, recovery, parts, looking);
}
