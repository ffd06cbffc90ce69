// The walks of lif_recurrent where neurons need time to recover from a spike: several a thread, however few there are.
#include "recovery.cuh"
#include "recurrent.cuh"

// The neuron's spike number `k`.
__device__ __forceinline__ size_t slot_of(Place const& place, int sample, int k) {
    return ((size_t)sample * place.layer.slots + k) * place.layer.stride + place.neuron;
}

struct RecoveringIntegrator {
    float u, current;
    int spikes;
    float held;  // ms for which it stays at its reset, or FREE
    AdaptiveThreshold threshold;

    static __device__ __forceinline__ RecoveringIntegrator of(Bounds const& own) {
        return {-own.bias, 0.0f, 0, FREE, AdaptiveThreshold::of(own.threshold)};
    }

    __device__ __forceinline__ void advance(Place const& place, Bounds const& own, int sample, Decay const& decay,
                                            Interval const& to, float elapsed) {
        if (held < 0.0f) {
            u = fmaf(u, to.mem, current * to.drive);
        } else if (held >= elapsed) {
            held -= elapsed;
        } else {
            float released = current * expf(-held / decay.tau_syn);
            Interval rest = interval_of(decay, elapsed - held);
            leave_reset(place, own, sample, released);
            u = fmaf(u, rest.mem, released * rest.drive);
        }
        current *= to.syn;
    }
    // Under the current that there is then.
    __device__ __forceinline__ void leave_reset(Place const& place, Bounds const& own, int sample, float current) {
        held = FREE;
        u = place.layer.reset - own.bias;
        if (spikes <= place.layer.slots) {
            place.member->recovery.rises[slot_of(place, sample, spikes - 1)] = current - u;
        }
    }
    __device__ __forceinline__ void spike(Place const& place, Bounds const& own, int sample, Decay const& decay,
                                          float now) {
        Layer const& its = place.layer;
        Recovery const& recovery = place.member->recovery;
        Adaptation by = Adaptation::of(recovery);
        // Rounding may put the spike where the reset is left.
        if (held >= 0.0f) leave_reset(place, own, sample, current);
        if (spikes < its.slots) {
            size_t slot = slot_of(place, sample, spikes);
            its.spike_times[slot] = now;
            its.spike_slopes[slot] = threshold.slope(decay, by, current, now);
        }
        threshold.raise(by, now);
        spikes++;
        u = its.reset - own.bias;
        held = recovery.refractory;
        // Without it, before anything else arrives.
        if (held <= 0.0f) leave_reset(place, own, sample, current);
    }
    __device__ __forceinline__ unsigned long long next(Place const& place, Bounds const&, Decay const& decay,
                                                       Interval const& ahead, float dt, float now,
                                                       unsigned tag) const {
        if (dt <= 0.0f || held >= dt) return NONE;
        float until = fmaxf(held, 0.0f);
        Ahead at = {u, current, fmaf(u, ahead.mem, current * ahead.drive), dt, ahead};
        if (held >= 0.0f) at = Ahead::of(decay, u, current * expf(-held / decay.tau_syn), dt - held);
        float time = threshold.time_to(decay, Adaptation::of(place.member->recovery), at, now + until);
        if (time == NO_SPIKE) return NONE;
        return (unsigned long long)__float_as_uint(fminf(until + time, dt)) << 32 | tag;
    }
};

struct RecoveringAdjoint : Adjoint {
    float leaves;    // when it leaves the reset of the last spike still to come, or NO_SPIKE behind that moment
    float released;  // what lambda_V was there, times the slope
    float adaptation, since;  // lambda_B just before the spike met last, and when that was

    static __device__ __forceinline__ RecoveringAdjoint of(Place const& place, int sample, int spikes, int) {
        RecoveringAdjoint at = {{0.0f, 0.0f, spikes}, NO_SPIKE, 0.0f, 0.0f, 0.0f};
        at.expect(place, sample);
        return at;
    }
    __device__ __forceinline__ void expect(Place const& place, int sample) {
        leaves = NO_SPIKE;
        if (spikes == 0) return;
        leaves = place.layer.spike_times[slot_of(place, sample, spikes - 1)] + place.member->recovery.refractory;
    }
    // Between a spike and this moment lambda_V is 0.
    __device__ __forceinline__ void enter_reset(Place const& place, int sample, Decay const& decay) {
        leaves = NO_SPIKE;
        // After the last spike it may not have been left at all.
        if (mu_voltage == 0.0f) return;
        released = place.member->recovery.rises[slot_of(place, sample, spikes - 1)] * mu_voltage / -decay.tau_syn;
        mu_voltage = 0.0f;
    }
    __device__ __forceinline__ void sweep(Place const& place, int sample, Decay const& decay, Record const& interval,
                                          float start, float end) {
        // What arrives at the moment at which it leaves arrives just after: at a spike without refractory time its own.
        if (leaves <= start || leaves > end) {
            ::sweep(mu_voltage, mu_current, interval, decay.ratio);
            return;
        }
        ::sweep(mu_voltage, mu_current, record_of(decay, end - leaves, NO_EVENT), decay.ratio);
        mu_current *= expf((start - leaves) / decay.tau_syn);
        enter_reset(place, sample, decay);
    }
    __device__ __forceinline__ void jump(Place const& place, int sample, Decay const& decay, float, float error,
                                         Above, int every_spike, int& grazing) {
        Layer const& layer = place.layer;
        Member const& member = *place.member;
        Recovery const& recovery = member.recovery;
        // Without refractory time that moment is this one.
        if (leaves >= 0.0f) enter_reset(place, sample, decay);
        int k = spikes - 1;
        Lane lane = lane_of(sample, place.neuron);
        size_t slot = slot_of(place, sample, k);
        float time = layer.spike_times[slot], slope = layer.spike_slopes[slot];
        Jumps jumps = jumps_among(layer, lane, layer.spike_counts[(size_t)sample * layer.stride + place.neuron]);
        Above above = {member.above_errors, member.above_width, member.above_tiles};
        float after = adaptation * expf((time - since) / recovery.tau());
        error += error_above(layer, lane, k, slot, above, every_spike);
        error = fmaf(-recovery.beta(), after, error + released);
        float before = jumps.before_recovery(layer.threshold[place.neuron] * layer.slope_floor, slope, error);
        grazing += jumps.grazing;
        adaptation = fmaf(-before, decay.tau_mem / recovery.tau(), after);
        since = time;
        released = 0.0f;
        // For the gradient by constants.
        layer.spike_slopes[slot] = before - jumps.pull;
        mu_voltage = (before - jumps.pull) * -decay.tau_syn;
        spikes--;
        expect(place, sample);
    }
};

// Grid: as lif_recurrent_large.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_recurrent_recovering(
    Layer below, Layer layer, Control* control, int copies, Member const* members, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_recurrent<SeveralEach, RecoveringIntegrator>(below, layer, control, copies, members, states, earliest);
}

extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_recurrent_recovering_backward(
    Layer layer, Control* control, int every_spike, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_recurrent_back<SeveralEach, RecoveringAdjoint>(below, layer, control, {}, every_spike, first, members, states,
                                                        sums);
}
