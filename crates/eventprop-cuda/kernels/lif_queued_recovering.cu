// The walks of lif_queued where neurons need time to recover from a spike, and back.
#include "recovery.cuh"
#include "queue.cuh"
#include "recurrent.cuh"

// A neuron that leaves its reset at a time which is known from its last spike on, as its threshold is.
struct AfterRecovery {
    float leaves;  // before any spike: earlier than anything
    float value;   // B just after that spike

    static __device__ __forceinline__ AfterRecovery of() { return {FREE, 0.0f}; }

    __device__ __forceinline__ AdaptiveThreshold threshold(Recovery const& recovery, float base) const {
        return {base, value, leaves - recovery.refractory};
    }
    static __device__ __forceinline__ float reset(Place const& place) {
        return place.layer.reset - place.layer.bias[place.neuron];
    }
    __device__ __forceinline__ float voltage(Place const& place, int sample, Decay const& decay, Walker const& from,
                                             Interval const& step, float end, int number) const {
        if (from.now >= leaves) return fmaf(from.u, step.mem, from.current * step.drive);
        if (leaves > end) return from.u;
        float current = from.current * expf((from.now - leaves) / decay.tau_syn);
        leave_reset(place, sample, current, number);
        Interval rest = interval_of(decay, end - leaves);
        return fmaf(reset(place), rest.mem, current * rest.drive);
    }
    // After the spike before number `number`, under the current that there is then.
    __device__ __forceinline__ void leave_reset(Place const& place, int sample, float current, int number) const {
        if (number > place.layer.slots) return;
        place.member->recovery.rises[slot_of(place, sample, number - 1)] = current - reset(place);
    }
    __device__ __forceinline__ unsigned long long next(Place const& place, Decay const& decay, float base,
                                                       Walker const& from, Interval const&, float dt,
                                                       unsigned tag) const {
        float until = fmaxf(leaves - from.now, 0.0f);
        if (dt <= 0.0f || until >= dt) return NONE;
        float u = until > 0.0f ? reset(place) : from.u;
        Ahead at = Ahead::of(decay, u, from.current * expf(-until / decay.tau_syn), dt - until);
        Recovery const& recovery = place.member->recovery;
        float time = threshold(recovery, base).time_to(decay, Adaptation::of(recovery), at, from.now + until);
        if (time == NO_SPIKE) return NONE;
        return (unsigned long long)__float_as_uint(fminf(until + time, dt)) << 32 | tag;
    }
    __device__ __forceinline__ float spike(Place const& place, int sample, Decay const& decay, float base,
                                           Walker const& from, float current, float time, int number) {
        Recovery const& recovery = place.member->recovery;
        // It left its reset since the last arrival; rounding may put that after the spike.
        if (from.now < leaves) {
            float since_then = fmaxf(time - leaves, 0.0f);
            leave_reset(place, sample, current * expf(since_then / decay.tau_syn), number);
        }
        Adaptation by = Adaptation::of(recovery);
        AdaptiveThreshold raised = threshold(recovery, base);
        float slope = raised.slope(decay, by, current, time);
        raised.raise(by, time);
        value = raised.value;
        leaves = time + recovery.refractory;
        if (leaves <= time) leave_reset(place, sample, current, number + 1);
        return slope;
    }
};

// Grid: as lif_queued_large.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_recovering(
    Layer below, Layer layer, Control* control, int copies, Member const* members, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_queued<CommonArrivals, SeveralEach, AfterRecovery>(below, layer, control, copies, members, states, earliest);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_recovering_delayed(
    Layer below, Layer layer, Control* control, int copies, Member const* members, int* states) {
    __shared__ unsigned long long earliest[3];
    walk_queued<OwnArrivals, SeveralEach, AfterRecovery>(below, layer, control, copies, members, states, earliest);
}

// Grid: as lif_queued_backward_large.
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_recovering_backward(
    Layer layer, Control* control, int every_spike, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<CommonArrivals, SeveralEach, RecoveringAdjoint>(below, layer, control, {}, every_spike, first,
                                                                     members, states, sums);
}
extern "C" __global__ void __launch_bounds__(MAX_SHARED_THREADS, SHARED_BLOCKS) lif_queued_recovering_backward_delayed(
    Layer layer, Control* control, int every_spike, int first, Layer below, Member const* members, int* states) {
    __shared__ float sums[2][MAX_THREADS / WARP];
    walk_queued_back<OwnArrivals, SeveralEach, RecoveringAdjoint>(below, layer, control, {}, every_spike, first,
                                                                  members, states, sums);
}
